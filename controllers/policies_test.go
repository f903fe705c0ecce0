// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	v1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

// blockSleep is a rule that any policy may have.
func blockSleep() v1.Rules {
	return v1.Rules{Process: v1.Process{MatchPaths: []v1.ProcessPath{{Path: "/bin/sleep"}}}}
}

func newPolicy(t *testing.T, ns, name string, matchLabels map[string]string) *v1.KubeArmorPolicy {
	t.Helper()
	p := &v1.KubeArmorPolicy{ObjectMeta: in(ns, name)}
	p.Spec.Rules = blockSleep()
	p.Spec.Selector.MatchLabels = matchLabels
	must(t, cluster.Create(t.Context(), p))
	t.Cleanup(func() { _ = cluster.Delete(background(), p) })
	return p
}

// policySays waits until both conditions of a policy are as wanted, and returns its status.
func policySays(t *testing.T, p client.Object, status *v1.PolicyStatus, accepted, enforced, reason string) v1.PolicyStatus {
	t.Helper()
	eventually(t, fmt.Sprintf("%T %s is %s %s", p, p.GetName(), enforced, reason), func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(p), p); err != nil {
			return err
		}
		a, e := conditions.Get(status.Conditions, v1.PolicyAccepted), conditions.Get(status.Conditions, v1.PolicyEnforced)
		if string(a.Status) != accepted || string(e.Status) != enforced || e.Reason != reason {
			return fmt.Errorf("accepted %v, enforced %v, nodes %+v", a, e, status.Nodes)
		}
		return nil
	})
	return *status
}

// run plays scheduler and kubelet: a running Pod on the node.
func (k *kubelet) run(ns, name string, podLabels map[string]string) *corev1.Pod {
	k.t.Helper()
	pod := podIn(ns, name, podLabels)
	pod.Spec.NodeName = k.node
	must(k.t, cluster.Create(k.t.Context(), pod))
	k.t.Cleanup(func() { _ = cluster.Delete(background(), pod, client.GracePeriodSeconds(0)) })
	pod.Status.Phase = corev1.PodRunning
	must(k.t, cluster.Status().Update(k.t.Context(), pod))
	return pod
}

// has puts a policy on the list in the agent's report.
func has(p client.Object, kind string, state opv1.PolicyState, reason string) func(*opv1.KubeArmorNode) {
	return func(kan *opv1.KubeArmorNode) {
		kan.Status.Policies = []opv1.NodePolicy{{
			Kind: kind, Namespace: p.GetNamespace(), Name: p.GetName(), Generation: p.GetGeneration(), State: state, Reason: reason, Containers: 1,
		}}
	}
}

func TestPolicyTellsOnHowManyNodesItIsInForce(t *testing.T) {
	nginx := map[string]string{"app": "nginx"}
	p := newPolicy(t, "default", "no-sleep", nginx)
	policySays(t, p, &p.Status, "True", "Unknown", v1.ReasonNotInstalled)

	c := declare(t, opv1.KubeArmorConfigSpec{})
	s := policySays(t, p, &p.Status, "True", "Unknown", v1.ReasonSelectsNothing)
	if got := conditions.Get(s.Conditions, v1.PolicyEnforced).Message; got != "selects 0 Pods" || s.Pods != 0 {
		t.Errorf("message %q, %d Pods", got, s.Pods)
	}

	one, two := join(t, "one"), join(t, "two")
	one.detects()
	two.detects()
	agent := one.runsAgent(one.pooled())
	two.runsAgent(two.pooled())
	one.agentReports()
	two.agentReports()
	one.run("default", "web-1", nginx)
	one.run("default", "web-2", nginx)
	one.run("default", "db", map[string]string{"app": "db"})
	two.run("default", "web-3", nginx)
	s = policySays(t, p, &p.Status, "True", "False", v1.ReasonWaitingForNodes)
	if s.Pods != 3 || s.Nodes.Desired != 2 || s.Nodes.Summary != "0/2" {
		t.Errorf("status is %+v", s)
	}

	one.agentReports(has(p, "KubeArmorPolicy", opv1.PolicyEnforced, ""))
	two.agentReports(has(p, "KubeArmorPolicy", opv1.PolicyObserved, ""))
	s = policySays(t, p, &p.Status, "True", "False", v1.ReasonNotEnforcedOnNodes)
	if diff := cmp.Diff(v1.PolicyNodes{Desired: 2, Enforced: 1, Degraded: 1, Summary: "1/2"}, s.Nodes); diff != "" {
		t.Error(diff)
	}
	if len(s.FailingNodes) != 1 || s.FailingNodes[0].Name != "two" || s.FailingNodes[0].Reason != v1.ReasonNodeObservesOnly {
		t.Errorf("failing nodes: %v", s.FailingNodes)
	}

	two.agentReports(has(p, "KubeArmorPolicy", opv1.PolicyEnforced, ""))
	s = policySays(t, p, &p.Status, "True", "True", v1.ReasonEnforcedEverywhere)
	if s.Nodes.Summary != "2/2" || len(s.FailingNodes) != 0 {
		t.Errorf("status is %+v", s)
	}

	edit(t, p, func(p *v1.KubeArmorPolicy) { p.Spec.Message = "changed" })
	policySays(t, p, &p.Status, "True", "False", v1.ReasonWaitingForNodes)
	one.agentReports(has(p, "KubeArmorPolicy", opv1.PolicyEnforced, ""))
	two.agentReports(has(p, "KubeArmorPolicy", opv1.PolicyEnforced, ""))
	policySays(t, p, &p.Status, "True", "True", v1.ReasonEnforcedEverywhere)

	one.endsAgent(agent)
	s = policySays(t, p, &p.Status, "True", "False", v1.ReasonWaitingForNodes)
	if len(s.FailingNodes) != 1 || s.FailingNodes[0].Reason != opv1.ReasonAgentNotReporting {
		t.Errorf("failing nodes: %v", s.FailingNodes)
	}
	must(t, cluster.Delete(t.Context(), c.DeepCopy()))
	policySays(t, p, &p.Status, "True", "Unknown", v1.ReasonNotInstalled)
}

func TestHostAndClusterPolicies(t *testing.T) {
	declare(t, opv1.KubeArmorConfigSpec{})
	k := join(t, "hosted")
	k.detects()
	k.runsAgent(k.pooled())
	k.agentReports()
	k.run("default", "app", map[string]string{"app": "x"})
	k.run(namespace, "system", map[string]string{"app": "system"})

	csp := &v1.KubeArmorClusterPolicy{ObjectMeta: metav1.ObjectMeta{Name: "everywhere"}}
	csp.Spec.Rules = blockSleep()
	csp.Spec.Selector.MatchExpressions = []v1.ClusterExpression{{Key: "namespace", Operator: "In", Values: []v1.Value{"default"}}}
	hsp := &v1.KubeArmorHostPolicy{ObjectMeta: metav1.ObjectMeta{Name: "hosts"}}
	hsp.Spec.Rules = blockSleep()
	hsp.Spec.NodeSelector.MatchLabels = map[string]string{corev1.LabelOSStable: "linux"}
	for _, o := range []client.Object{csp, hsp} {
		must(t, cluster.Create(t.Context(), o))
		t.Cleanup(func() { _ = cluster.Delete(background(), o) })
	}
	policySays(t, csp, &csp.Status, "True", "False", v1.ReasonWaitingForNodes)
	policySays(t, hsp, &hsp.Status, "True", "False", v1.ReasonWaitingForNodes)
	k.agentReports(func(kan *opv1.KubeArmorNode) {
		has(csp, "KubeArmorClusterPolicy", opv1.PolicyEnforced, "")(kan)
		list := kan.Status.Policies
		has(hsp, "KubeArmorHostPolicy", opv1.PolicyRefused, v1.ReasonDomainUnsupported)(kan)
		kan.Status.Policies = append(list, kan.Status.Policies...)
	})
	policySays(t, csp, &csp.Status, "True", "True", v1.ReasonEnforcedEverywhere)
	s := policySays(t, hsp, &hsp.Status, "True", "False", v1.ReasonNotEnforcedOnNodes)
	if s.FailingNodes[0].Reason != v1.ReasonDomainUnsupported {
		t.Errorf("failing nodes: %v", s.FailingNodes)
	}

	system := newPolicy(t, namespace, "own", map[string]string{"app": "system"})
	s = policySays(t, system, &system.Status, "True", "Unknown", v1.ReasonSelectsNothing)
	if got := conditions.Get(s.Conditions, v1.PolicyEnforced).Message; !strings.Contains(got, "system namespaces") {
		t.Errorf("message is %q", got)
	}
	narrow := newPolicy(t, "default", "narrow", map[string]string{"app": "x", opv1.LabelContainerName: "[sidecar,other]"})
	policySays(t, narrow, &narrow.Status, "True", "Unknown", v1.ReasonSelectsNothing)
}
