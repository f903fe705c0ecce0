// SPDX-License-Identifier: Apache-2.0

package product

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

func TestParseAlerts(t *testing.T) {
	const output = `{"level":"info","msg":"policies synced"}
{"NamespaceName":"shop","PolicyName":"web-lockdown","Resource":"/etc/secret/token","Result":"Passed"}
{"NamespaceName":"shop","PolicyName":"another","Resource":"/x"}
not json
{"NamespaceName":"other","PolicyName":"web-lockdown","Resource":"/x"}
`
	var got []string
	for _, a := range parseAlerts(output, "shop", "web-lockdown") {
		got = append(got, a.Resource+" "+a.Result)
	}
	if diff := cmp.Diff([]string{"/etc/secret/token Passed"}, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

func TestPolicyState(t *testing.T) {
	policy := operatorv1.NodePolicy{Kind: "KubeArmorPolicy", Namespace: "shop", Name: "p", Generation: 2, State: operatorv1.PolicyEnforced, Containers: 1}
	for _, test := range []struct {
		name      string
		enforcing bool
		change    func(*operatorv1.NodePolicy)
		want      string
	}{
		{"a policy in force on a node that enforces is well", true, func(*operatorv1.NodePolicy) {}, ""},
		{"an observed policy is well where the node does not enforce", false, func(p *operatorv1.NodePolicy) { p.State = operatorv1.PolicyObserved }, ""},
		{"an observed policy is not enough where the node enforces", true, func(p *operatorv1.NodePolicy) { p.State = operatorv1.PolicyObserved }, "is Observed, not Enforced"},
		{"another generation is not the one", true, func(p *operatorv1.NodePolicy) { p.Generation = 1 }, "has generation 1 of it, not 2"},
		{"a policy without a container is not yet in force", true, func(p *operatorv1.NodePolicy) { p.Containers = 0 }, "selects no container yet"},
		{"a policy that is not reported is missing", true, func(p *operatorv1.NodePolicy) { p.Name = "q" }, "does not report the policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := policy
			test.change(&p)
			n := &operatorv1.KubeArmorNode{Status: operatorv1.KubeArmorNodeStatus{Policies: []operatorv1.NodePolicy{p}}}
			if test.enforcing {
				n.Status.Conditions = []metav1.Condition{{Type: operatorv1.NodeEnforcing, Status: metav1.ConditionTrue}}
			}
			if got := policyState(n, "shop", "p", 2); !strings.HasPrefix(got, test.want) || (test.want == "") != (got == "") {
				t.Errorf("state %q, want %q", got, test.want)
			}
		})
	}
}

func TestOutcomeIsDeniedOnlyByTheKernel(t *testing.T) {
	for _, test := range []struct {
		name   string
		result Result
		want   bool
	}{
		{"permission denied is a denial", Result{126, "sh: /usr/bin/wget: Permission denied"}, true},
		{"operation not permitted is a denial", Result{1, "cat: can't open: Operation not permitted"}, true},
		{"a missing file is none", Result{1, "cat: can't open: No such file or directory"}, false},
		{"what went through is none, whatever else was said", Result{1, "Usage: ... Permission denied"}, false},
		{"status 0 is none", Result{0, "Permission denied"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Outcome{Operation: Operation{Sign: "Usage:"}, Result: test.result}
			if got := o.Denied(); got != test.want {
				t.Errorf("denied %v, want %v", got, test.want)
			}
		})
	}
}

func TestUntilSaysWhatWasMissing(t *testing.T) {
	err := Until(t.Context(), 10*time.Millisecond, func(context.Context) (bool, string, error) { return false, "node a", nil })
	if err == nil || !strings.Contains(err.Error(), "node a") {
		t.Errorf("error %v does not say what was missing", err)
	}
	err = Until(t.Context(), 10*time.Millisecond, func(context.Context) (bool, string, error) { return false, "", errors.New("refused") })
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v does not say what went wrong", err)
	}
}
