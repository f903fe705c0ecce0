// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// Result of one case.
type Result struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Name string `json:"name"`
	Op   string `json:"op"`
	// Passed: Got is what Want asks for.
	Passed bool        `json:"passed"`
	Want   Expectation `json:"want"`
	Got    Verdict     `json:"got"`
}

// Run judges every case of a test that Read returned, on valid documents.
func (t *Test) Run(documents []document.Document, root model.Resolver) []Result {
	results := make([]Result, 0, len(t.Cases))
	for i := range t.Cases {
		c := &t.Cases[i]
		workload, posture := t.Workload, t.Posture
		if c.Workload != nil {
			workload = *c.Workload
		}
		if c.Posture != nil {
			posture = c.Posture
		}
		// Read has found both to be well-formed.
		postures, _ := posture.Model()
		op, _ := c.Model()
		got := Judge(Select(documents, workload, postures, root), op)
		results = append(results, Result{
			File: t.File, Line: c.Line, Name: c.Name, Op: c.Op, Passed: c.Expect.met(got), Want: c.Expect, Got: got,
		})
	}
	return results
}

// met says whether a verdict is the expected one.
func (e Expectation) met(v Verdict) bool {
	return e.Verdict == v.Verdict && (e.Policy == "" || e.Policy == v.Policy) && (e.Rule == "" || e.Rule == v.Rule)
}
