// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func TestANodeSaysWhatItsKernelDoesNotJudge(t *testing.T) {
	f := facet{state: state{open: true, generation: 1, stats: enforcer.Stats{Missing: []string{"lsm/path_chown"}}}}
	want := metav1.Condition{
		Type: operatorv1.NodeEnforcing, Status: metav1.ConditionTrue, Reason: operatorv1.ReasonOperationsNotJudged,
		Message: "the core is attached to the kernel's LSM hooks" + blindSpots(f.stats.Missing),
	}
	if diff := cmp.Diff(want, f.enforcing()); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	f.stats.Missing = nil
	if got := f.enforcing(); got.Reason != operatorv1.ReasonEnforcing {
		t.Errorf("with every hook the reason is %s", got.Reason)
	}
}

func TestAPolicySaysWhatOfItIsNotInForce(t *testing.T) {
	inPart := compile.Unsupported{Rule: "a", Reason: compile.ReasonNotJudged, Message: "m"}
	section := compile.Unsupported{Rule: "b", Reason: compile.ReasonDevice, Message: "n"}
	rule := compile.Unsupported{Rule: "c", Reason: compile.ReasonMultiCall, Message: "o"}
	tests := map[string]struct {
		missing         []compile.Unsupported
		reason, message string
	}{
		"a rule that holds in part":      {[]compile.Unsupported{inPart}, securityv1.ReasonOperationsNotJudged, "2 rules in force, 1 of them in part, 0 not: a OperationsNotJudged (m)"},
		"a section that is not there":    {[]compile.Unsupported{section}, securityv1.ReasonDomainUnsupported, "2 rules in force, 1 not: b DeviceUnsupported (n)"},
		"both":                           {[]compile.Unsupported{inPart, section}, securityv1.ReasonDomainUnsupported, "2 rules in force, 1 of them in part, 1 not: a OperationsNotJudged (m); b DeviceUnsupported (n)"},
		"a single rule that is not held": {[]compile.Unsupported{inPart, rule}, securityv1.ReasonRuleUnsupported, "2 rules in force, 1 of them in part, 1 not: a OperationsNotJudged (m); c MultiCallBinary (o)"},
	}
	for name, test := range tests {
		got := [2]string{unsupportedReason(test.missing), unsupportedMessage(compile.Result{InForce: 2, Unsupported: test.missing})}
		if diff := cmp.Diff([2]string{test.reason, test.message}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
