// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
)

// good are the findings of a run in which everything was as promised: one node that enforces and one that does not.
func good() findings {
	found := findings{
		specs: []node.Spec{{Name: "yes", LSM: "apparmor,bpf"}, {Name: "no", LSM: "apparmor"}},
		nodes: map[string]operatorv1.KubeArmorNode{
			"yes": report("True", operatorv1.ReasonEnforcing),
			"no":  report("False", operatorv1.ReasonObserveOnly),
		},
		alerts: map[string][]product.Alert{},
	}
	for _, spec := range found.specs {
		for _, o := range product.Operations() {
			outcome := product.Outcome{Operation: o, Node: spec.Name, Result: product.Result{Output: o.Sign}}
			if o.Attacked {
				found.alerts[spec.Name] = append(found.alerts[spec.Name], product.Alert{Resource: o.Path})
			}
			if o.Attacked && spec.BPFLSM() {
				outcome.Result = product.Result{Status: 126, Output: "sh: " + o.Path + ": Permission denied"}
			}
			found.outcomes = append(found.outcomes, outcome)
		}
	}
	return found
}

func report(status, reason string) operatorv1.KubeArmorNode {
	return operatorv1.KubeArmorNode{Status: operatorv1.KubeArmorNodeStatus{Conditions: []metav1.Condition{
		{Type: operatorv1.NodeEnforcing, Status: metav1.ConditionStatus(status), Reason: reason},
	}}}
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*findings)
		// want is a part of each problem.
		want []string
	}{
		{"a run as promised has no problem", func(*findings) {}, nil},
		{"an attack that goes through on an enforcing node is a problem", func(f *findings) { f.outcomes[1].Result = product.Result{Output: "Usage:"} }, []string{"yes: the attacked exec of /usr/bin/wget was not denied"}},
		{"an attack that fails for another reason was not denied", func(f *findings) {
			f.outcomes[3].Result = product.Result{Status: 1, Output: "No such file or directory"}
		}, []string{"yes: the attacked read"}},
		{"an allowed operation that fails is a problem", func(f *findings) { f.outcomes[0].Result = product.Result{Status: 126, Output: "Permission denied"} }, []string{"yes: exec of /usr/bin/id is allowed"}},
		{"a node that claims more than its kernel can is a problem", func(f *findings) { f.nodes["no"] = report("True", operatorv1.ReasonEnforcing) }, []string{"no: says enforcing true", "no: does not say why"}},
		{"a node without a report is a problem", func(f *findings) { delete(f.nodes, "yes") }, []string{"yes: has no KubeArmorNode"}},
		{"a missing audit alert is a problem", func(f *findings) { f.alerts["no"] = f.alerts["no"][:1] }, []string{"no: no alert on the attack on /etc/secret/token"}},
		{"an operation that was not tried is a problem", func(f *findings) { f.outcomes = f.outcomes[:7] }, []string{"no: 3 operations were tried"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := good()
			test.spoil(&found)
			got := judge(found)
			if len(got) != len(test.want) {
				t.Fatalf("problems (-want +got):\n%s", cmp.Diff(test.want, got))
			}
			for i, part := range test.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("problem %d is %q, want %q in it", i, got[i], part)
				}
			}
		})
	}
}
