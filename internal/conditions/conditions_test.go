// SPDX-License-Identifier: Apache-2.0

package conditions_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

func TestSetReportsOnlyTransitions(t *testing.T) {
	var list []metav1.Condition
	steps := []struct {
		name string
		give conditions.Verdict
		want bool
	}{
		{"the first value is a transition", conditions.Unknown("Detecting", "1 of 3"), true},
		{"another message is none", conditions.Unknown("Detecting", "2 of 3"), false},
		{"another reason is one", conditions.Unknown("DetectionFailed", "2 of 3"), true},
		{"another status is one", conditions.True("AsExpected", ""), true},
		{"the same again is none", conditions.True("AsExpected", ""), false},
	}
	for _, s := range steps {
		if got := conditions.Set(&list, "Ready", 7, s.give); got != s.want {
			t.Errorf("%s: got %v, want %v", s.name, got, s.want)
		}
	}
	if got := list[0].ObservedGeneration; got != 7 {
		t.Errorf("observedGeneration is %d, want 7", got)
	}
}

func TestMissingIsUnknown(t *testing.T) {
	if diff := cmp.Diff(conditions.Verdict{Status: metav1.ConditionUnknown}, conditions.Get(nil, "Ready")); diff != "" {
		t.Error(diff)
	}
}

func TestSummariseTakesTheFirstThatIsNotTrue(t *testing.T) {
	yes, no, what := conditions.True("A", ""), conditions.False("B", "b"), conditions.Unknown("C", "c")
	if diff := cmp.Diff(no, conditions.Summarise(yes, yes, no, what)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(yes, conditions.Summarise(yes, yes, yes)); diff != "" {
		t.Error(diff)
	}
}

func TestClipKeepsCharactersWhole(t *testing.T) {
	got := conditions.Clip(strings.Repeat("é", 20), 12)
	if !utf8.ValidString(got) || len(got) > 12 || !strings.HasSuffix(got, "…") {
		t.Errorf("got %q of %d bytes", got, len(got))
	}
	if got := conditions.Clip("short", 12); got != "short" {
		t.Errorf("a short message was changed to %q", got)
	}
}
