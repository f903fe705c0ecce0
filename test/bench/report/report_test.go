// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
)

func estimate(low, median, high float64) stats.Estimate {
	return stats.Estimate{Median: median, Low: low, High: high, Samples: 9}
}

func TestABoundIsMetByTheMedian(t *testing.T) {
	tests := map[string]struct {
		value       stats.Estimate
		met, unsure bool
		verdict     string
	}{
		"below":                        {estimate(1, 2, 3), true, false, "met"},
		"just at it":                   {estimate(4, 5, 5), true, false, "met"},
		"below, the interval above":    {estimate(4, 4.5, 6), true, true, "met?"},
		"above, the interval below it": {estimate(4, 5.1, 6), false, true, "MISSED"},
		"above":                        {estimate(6, 7, 8), false, false, "MISSED"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBound("x", "ns", 5, test.value)
			if b.Met != test.met || b.Unsure != test.unsure || b.verdict() != test.verdict {
				t.Errorf("met %v, unsure %v, %s", b.Met, b.Unsure, b.verdict())
			}
		})
	}
}

// samples of nine rounds in which the machine slows down: ratios of a round do not see that.
func slowing(factors map[string]float64) Raw {
	raw := Raw{Kernel: "6.12", Samples: map[string]map[string][]float64{}, Attach: []float64{1}}
	for _, operation := range Operations() {
		raw.Samples[operation] = map[string][]float64{}
		for _, setting := range Settings() {
			for round := range 9 {
				factor := 1.0
				if f, ok := factors[setting]; ok {
					factor = f
				}
				raw.Samples[operation][setting] = append(raw.Samples[operation][setting], 100*factor*float64(1+round))
			}
		}
	}
	return raw
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	m, err := NewMachine(slowing(map[string]float64{SettingFew: 1.2}))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := m.ratio(OperationOpen, SettingFew)
	if diff := cmp.Diff(estimate(1.2, 1.2, 1.2), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	raw := slowing(nil)
	raw.Samples[OperationStat][SettingMany] = raw.Samples[OperationStat][SettingMany][1:]
	if _, err := NewMachine(raw); err == nil {
		t.Error("a missing round was not noticed")
	}
}

func TestWhatIsMissedIsExplained(t *testing.T) {
	raw := slowing(map[string]float64{SettingUnpoliced: 1.04, SettingMany: 1.3})
	raw.Profile = []ProgramCost{{OperationOpen, SettingMany, "file_enforce", 1, 480}}
	raw.Memory = Memory{Policies: 100, Containers: 100, RulesEach: 10, Tables: 100 * 4737, RSS: 1 << 20, Rules: 100, RulesError: "full"}
	m, err := NewMachine(raw)
	if err != nil {
		t.Fatal(err)
	}
	r := Report{Machine: m}
	for _, rules := range []int{10, 10_000} {
		ns := 200 + float64(rules)/100
		r.Native = append(r.Native, Native{Mix: "mixed", Rules: rules, PathBytes: 64, Decision: estimate(ns, ns, ns), Floor: estimate(20, 20, 20)},
			Native{Mix: "mixed", Rules: rules, PathBytes: 4000, Decision: estimate(1, 9000, 9e9), Floor: estimate(20, 20, 20)})
	}
	r.Judge()
	got := map[string]bool{}
	for _, b := range r.Bounds {
		got[b.Name] = b.Met
	}
	want := map[string]bool{
		"decision on 64 bytes, 10,000 rules, mixed":      false,
		"the same, 10,000 rules to 10, mixed":            false,
		"fork+exec, unpoliced container":                 false,
		"open/close, unpoliced container":                true,
		"connect, unpoliced container":                   false,
		"fork+exec, 10 rules":                            true,
		"open/close, 10 rules":                           true,
		"connect, 10 rules":                              true,
		"fork+exec, 10,000 rules":                        false,
		"open/close, 10,000 rules":                       false,
		"connect, 10,000 rules":                          false,
		"kernel memory of a policy of 10 rules":          false,
		"RSS of the agent, 100 policies, 100 containers": true,
		"kernel memory of a rule, 100 rules":             false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bounds met (-want +got):\n%s", diff)
	}
	text := r.Text()
	for _, line := range []string{
		"MISSED open/close, 10,000 rules: programs for one operation, file_enforce 1.0 × 480 ns",
		"MISSED kernel memory of a rule, 100 rules: not put in force: full",
		"MISSED decision on 64 bytes, 10,000 rules, mixed: of that 20 ns are the kernel's loop over test runs",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the text lacks %q:\n%s", line, text)
		}
	}
}

func TestTheTextSaysWhenItProvesNothing(t *testing.T) {
	m, err := NewMachine(slowing(nil))
	if err != nil {
		t.Fatal(err)
	}
	m.Events = 3
	r := Report{Environment: Environment{Load: 4, Noisy: Busy(4)}, Machine: m}
	r.Judge()
	text := r.Text()
	for _, line := range []string{"NOISY: the host's load was 4.0", "WRONG: 3 events"} {
		if !strings.Contains(text, line) {
			t.Errorf("the text lacks %q:\n%s", line, text)
		}
	}
	if Busy(0.2) {
		t.Error("an idle host is busy")
	}
}
