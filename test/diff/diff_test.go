// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
	"github.com/kubearmor/kubearmor-operator/test/diff/example"
)

// TestTheCompiledTablesMeanWhatTheModelSays compares the compiler and the layout of the tables, read by the twin of the
// core, with the model. make diff compares the core itself, and more cases.
func TestTheCompiledTablesMeanWhatTheModelSays(t *testing.T) {
	c := &campaign{seed: 1, cases: 20_000, workers: 2, open: func() (backend, error) { return &pure{}, nil }}
	if testing.Short() {
		c.cases = 3_000
	}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases: %s; %d rules were too many to hold", c.done.Load(), c.verdicts(), c.dropped.Load())
	for action := policy.ActionAllow; action <= policy.ActionBlock; action++ {
		if got := c.counts[action].Load(); got < c.done.Load()/10 {
			t.Errorf("%s came out %d times only: the cases prove little", action, got)
		}
	}
}

// TestTheCoreAnswersAsTheModel is a small make diff.
func TestTheCoreAnswersAsTheModel(t *testing.T) {
	c := &campaign{seed: 1000, cases: 10_000, workers: 2, open: openNative}
	if testing.Short() {
		c.cases = 2_000
	}
	err := c.run()
	if errors.Is(err, syscall.EPERM) && os.Geteuid() != 0 {
		t.Skip("running a BPF program needs CAP_BPF and CAP_PERFMON; root, as in make test, may not skip this: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases: %s", c.done.Load(), c.verdicts())
}

// wrong is a twin with one planted mistake.
type wrong struct {
	pure
	mistake func(question) question
}

func (w *wrong) ask(q question) (table.Answer, error) { return w.judge(w.mistake(q)), nil }

func TestAPlantedMistakeIsFoundAndShrunk(t *testing.T) {
	mistakes := map[string]func(question) question{
		"a path that is cut at 200 bytes": func(q question) question {
			q.Path = q.Path[:min(len(q.Path), 200)]
			return q
		},
		"an owner that nobody looks at": func(q question) question {
			q.Met |= 1
			return q
		},
		"a source that is compared without its last byte": func(q question) question {
			q.Source = q.Source[:max(len(q.Source)-1, 0)]
			return q
		},
		"names that are compared with their case": func(q question) question {
			q.name = strings.ReplaceAll(q.name, "A", "B")
			return q
		},
		"a wildcard that does not care for the dot": func(q question) question {
			q.name = strings.Replace(q.name, "notexample", "not.example", 1)
			return q
		},
		"tcp that means unix streams too": func(q question) question {
			if q.Family == 1 && q.Type == 1 {
				q.Family = 2
			}
			return q
		},
	}
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			c := &campaign{seed: 1, cases: 300_000, workers: 2, open: func() (backend, error) { return &wrong{mistake: mistake}, nil }}
			err := c.run()
			var m *mismatch
			if !errors.As(err, &m) {
				t.Fatalf("after %d cases: %v", c.done.Load(), err)
			}
			rules := 0
			for i := range m.Workload.Policies {
				rules += len(m.Workload.Policies[i].Policy.Rules)
			}
			if rules > 2 || len(m.Operation.Source) > 8 && !strings.Contains(name, "200") {
				t.Errorf("it is not small: %d rules\n%v", rules, m)
			}
			if text := m.Error(); !strings.Contains(text, "karmor policy eval -f -") || !strings.Contains(text, "kind: KubeArmor") {
				t.Errorf("it does not say how to ask again:\n%s", text)
			}
			t.Logf("after %d cases: %v", c.done.Load(), m)
		})
	}
}

func TestShrinkingKeepsWhatMatters(t *testing.T) {
	long := "/" + strings.Repeat("x", 200) + "/" + strings.Repeat("y", 100)
	e := example.Example{
		Workload: model.Workload{Policies: []model.Selected{{Policy: policy.Policy{
			Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "shop", Name: "p"},
			Rules: []policy.Rule{
				{At: "rule[0]", Domain: policy.DomainFile, Action: policy.ActionBlock, Path: long, OwnerOnly: true},
				{At: "rule[1]", Domain: policy.DomainFile, Action: policy.ActionAudit, Directory: "/z/"},
			},
		}}}},
		Operation: model.Operation{Kind: model.Chmod, Path: long, Source: "/bin/sh", Terminal: true, UID: 1},
	}
	small := example.Shrink(e, func(e example.Example) bool { return e.Workload.Judge(e.Operation).Action == policy.ActionBlock })
	rules := small.Workload.Policies[0].Policy.Rules
	if len(rules) != 1 || len(rules[0].Path) != 2 || rules[0].OwnerOnly || small.Operation.Terminal || small.Operation.Source != "" {
		t.Errorf("shrunk to %+v of %+v", small.Operation, rules)
	}
}
