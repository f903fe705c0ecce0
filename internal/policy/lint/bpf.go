// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// inBPF asks the compiler, on a workload that the policy alone selects.
func inBPF(p policy.Policy, abilities compile.Abilities) []Unsupported {
	out := compile.Compile([]compile.Workload{{Selections: []compile.Selection{{Policy: &p}}}}, abilities)
	u := &unsupported{backend: BPF}
	for _, result := range out.Policies {
		for _, r := range result.Unsupported {
			u.refuse(r.Rule, r.Reason, "%s", r.Message)
		}
	}
	return u.sorted()
}
