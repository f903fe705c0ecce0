// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

func TestPathsHaveTheirLength(t *testing.T) {
	for length := 16; length <= 4095; length++ {
		path := pathOf(length)
		if len(path) != length {
			t.Fatalf("%d bytes instead of %d: %s", len(path), length, path)
		}
		if clean, err := parse.Path(path); err != nil || clean != path {
			t.Fatalf("%s is %q: %v", path, clean, err)
		}
	}
}

// fake takes 10 ns for nothing and 3 ns for each byte.
type fake struct {
	profile compile.Profile
	times   []int
	rule    compile.RuleID
}

func (f *fake) Hold(p compile.Profile) error { f.profile = p; return nil }

func (f *fake) Ask(table.Question) (compile.RuleID, error) { return f.rule, nil }

func (f *fake) Time(q table.Question, times int) (time.Duration, error) {
	f.times = append(f.times, times)
	return time.Duration(10 + 3*len(q.Path)), nil
}

func (f *fake) Floor(int) (time.Duration, error) { return 10, nil }

func TestASampleRunsLongEnough(t *testing.T) {
	f := &fake{}
	got, err := measure(f, table.Question{Path: strings.Repeat("x", 30)}, 7)
	if err != nil {
		t.Fatal(err)
	}
	if got.Decision.Median != 100 || got.Decision.Samples != 7 || got.Floor.Median != 10 {
		t.Errorf("got %+v", got)
	}
	if last := f.times[len(f.times)-1]; last != 100_000 {
		t.Errorf("a sample of %s ran %d times", sampleTime, last)
	}
}

func TestRulesOfEveryMixAreInForce(t *testing.T) {
	for _, mix := range mixes() {
		for _, length := range pathBytes() {
			path := pathOf(length)
			out := compiled(policyOf(mix, 100, path))
			if err := hold(&fake{}, out, table.Question{Path: path}); err != nil || out.Policies[0].InForce != 100 {
				t.Errorf("%s, path of %d bytes: %d in force, %v", mix, length, out.Policies[0].InForce, err)
			}
		}
	}
}

func TestAPathThatARuleDecidesIsNoMeasure(t *testing.T) {
	err := hold(&fake{rule: 7}, compiled(policyOf(mixExact, 10, pathOf(64))), table.Question{Path: pathOf(64)})
	if err == nil || !strings.Contains(err.Error(), "was decided by rule 0x7") {
		t.Errorf("got %v", err)
	}
}

type broken struct{ fake }

func (*broken) Time(table.Question, int) (time.Duration, error) { return 0, errors.New("no test run") }

func TestAFailureNamesWhatWasMeasured(t *testing.T) {
	_, err := Measure(&broken{}, 1, t.Logf)
	if err == nil || !strings.Contains(err.Error(), "exact, 10 rules, path of 16 bytes: no test run") {
		t.Errorf("got %v", err)
	}
}
