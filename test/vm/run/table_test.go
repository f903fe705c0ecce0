// SPDX-License-Identifier: Apache-2.0

package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/cases"
	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/root"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/test/vm/run/script"
)

// scene is the cases of one document of the table: the same policies, workload and postures.
type scene struct {
	name, file string
	test       cases.Test
	documents  []document.Document
	workload   model.Workload
}

// rootOf adapts a folder's symlinks to the model.
type rootOf struct{ folder *root.Root }

func (r rootOf) Resolve(path string) string {
	object, _ := r.folder.Resolve(path)
	return object
}

func readTable(t *testing.T) []scene {
	t.Helper()
	reader, err := document.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no table: %v", err)
	}
	merged := root.Directory(filepath.Join("testdata", "root"))
	var scenes []scene
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := reader.Read(file, text)
		tests, problems := cases.Read(file, text)
		for _, d := range documents {
			problems = append(problems, d.Errors...)
		}
		if len(problems) > 0 || len(tests) == 0 {
			t.Fatalf("%s: %d tests, problems %v", file, len(tests), problems)
		}
		for i, test := range tests {
			postures, err := test.Posture.Model()
			if err != nil {
				t.Fatal(err)
			}
			s := scene{name: strings.TrimSuffix(filepath.Base(file), ".yaml"), file: filepath.Base(file), test: test, documents: documents}
			if len(tests) > 1 {
				s.name += fmt.Sprintf(" %d", i+1)
			}
			s.workload = cases.Select(documents, test.Workload, postures, rootOf{merged})
			scenes = append(scenes, s)
		}
	}
	return scenes
}

// script is the scene as the worker gets it.
func (s scene) script(policies string) script.Run {
	run := script.Run{Name: s.name, Flags: []string{"-f", filepath.Join(policies, s.file), "--namespace", "default"}}
	var postures []string
	for _, domain := range slices.Sorted(maps.Keys(s.test.Posture)) {
		postures = append(postures, domain+"="+s.test.Posture[domain])
	}
	if len(postures) > 0 {
		run.Flags = append(run.Flags, "--posture", strings.Join(postures, ","))
	}
	for i := range s.test.Cases {
		c := &s.test.Cases[i]
		op, _ := c.Model()
		run.Operations = append(run.Operations, script.Operation{
			Op: c.Op, Path: c.Path, NewPath: c.NewPath, Source: c.Source, Args: c.Args, UID: c.UID, Owner: c.Owner,
			Terminal: c.Terminal, Memory: c.Memory, Unlinked: c.Unlinked, Family: op.Family, Type: op.Type, Protocol: op.Protocol, Capability: op.Capability, Domain: op.Name,
		})
	}
	return run
}

// TestTheTableIsTheModels: what the table expects is what the model says.
func TestTheTableIsTheModels(t *testing.T) {
	for _, s := range readTable(t) {
		for _, r := range s.test.Run(s.documents, s.workload.Root) {
			if !r.Passed {
				t.Errorf("%s:%d: %s: want %+v, got %s by %s %s: %s", r.File, r.Line, r.Name, r.Want, r.Got.Verdict, r.Got.Policy, r.Got.Rule, r.Got.Reason)
			}
		}
	}
}

// compare what happened in the machine with what the model says.
func (s scene) compare(t *testing.T, r script.Report) {
	if r.Code != 0 || strings.Contains(r.Notes, "warning") || strings.Contains(r.Notes, "is not in force") || len(r.LeftBehind) > 0 || len(r.Results) != len(s.test.Cases) {
		t.Fatalf("exit status %d, %d results of %d, left behind %v\n%s", r.Code, len(r.Results), len(s.test.Cases), r.LeftBehind, r.Notes)
	}
	alerts := make([]*telemetry.Alert, len(r.Alerts))
	for i, raw := range r.Alerts {
		alerts[i] = &telemetry.Alert{}
		if err := json.Unmarshal(raw, alerts[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range s.test.Cases {
		c := &s.test.Cases[i]
		t.Run(c.Name, func(t *testing.T) { s.compareCase(t, c, r.Results[i], alerts) })
	}
}

func (s scene) compareCase(t *testing.T, c *cases.Case, got script.Result, alerts []*telemetry.Alert) {
	op, err := c.Model()
	if err != nil {
		t.Fatal(err)
	}
	if op.Source == "" {
		op.Source = script.Worker
	}
	verdict := cases.Judge(s.workload, op)
	if got.Problem != "" {
		t.Fatalf("not attempted: %s", got.Problem)
	}
	errno := syscall.Errno(got.Errno)
	denied := errno == syscall.EACCES || errno == syscall.EPERM || got.Killed
	if errno != 0 && !denied {
		t.Fatalf("failed in another way: %v", errno)
	}
	// Who executes a file reads it first.
	first := verdict
	if op.Kind == model.Exec {
		reading := op
		reading.Kind = model.Read
		if v := cases.Judge(s.workload, reading); v.Verdict == "Block" {
			first = v
		}
	}
	if wanted := first.Verdict == "Block"; denied != wanted {
		t.Errorf("denied: %v (%v), but the model says %s by %s %s: %s", denied, errno, first.Verdict, first.Policy, first.Rule, first.Reason)
	}
	s.compareAlerts(t, op, first, got, alerts)
}

// compareAlerts: whatever is blocked or audited has an alert with the policy and the rule that decided; what is allowed
// has none.
func (s scene) compareAlerts(t *testing.T, op model.Operation, want cases.Verdict, got script.Result, alerts []*telemetry.Alert) {
	var found []string
	for _, a := range alerts {
		if !concerns(a, op, got, want) {
			continue
		}
		found = append(found, fmt.Sprintf("%s by %s %s", a.Action, a.PolicyName, a.EventData["RulePath"]))
	}
	wanted := strings.TrimSpace(fmt.Sprintf("%s by %s %s", want.Verdict, want.Policy, want.Rule))
	matches := func(alert string) bool {
		// Alerts of postures say what the posture stands for: "Audit (Allow)".
		return strings.TrimSpace(alert) == wanted || want.Policy == model.DefaultPosture && strings.HasPrefix(alert, want.Verdict) && strings.Contains(alert, want.Policy)
	}
	switch {
	case want.Verdict == "Allow" && len(found) > 0:
		t.Errorf("allowed, but alerts say %q", found)
	case want.Verdict != "Allow" && !slices.ContainsFunc(found, matches):
		t.Errorf("no alert says %q; they say %q", wanted, found)
	}
}

// concerns says whether an alert is about the attempt: of its process or a child of it, and of its kind.
func concerns(a *telemetry.Alert, op model.Operation, got script.Result, want cases.Verdict) bool {
	if int(a.HostPID) != got.PID && int(a.HostPPID) != got.PID {
		return false
	}
	// What presets are about has no name, or another one.
	if strings.HasPrefix(a.Enforcer, "PRESET-") {
		return true
	}
	switch op.Kind.Domain() {
	case policy.DomainProcess:
		base := filepath.Base(op.Path)
		return filepath.Base(a.Resource) == base && (a.Operation == "Process" || a.Operation == "File" && want.Verdict == "Block")
	case policy.DomainFile:
		return a.Operation == "File" && filepath.Base(a.Resource) == filepath.Base(op.Path) || filepath.Base(a.Resource) == filepath.Base(op.NewPath)
	case policy.DomainNetwork, policy.DomainDNS:
		return a.Operation == "Network"
	case policy.DomainCapabilities:
		return a.Operation == "Capabilities"
	default:
		return false
	}
}
