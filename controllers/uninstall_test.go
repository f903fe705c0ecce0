// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// owned are all objects beside the DaemonSets.
func owned() []client.Object {
	return []client.Object{
		&corev1.ConfigMap{ObjectMeta: in(namespace, v1.ConfigMapName)},
		&corev1.Secret{ObjectMeta: in(namespace, v1.SecretAuthority)},
		&corev1.Secret{ObjectMeta: in(namespace, v1.SecretAgent)},
		&corev1.Secret{ObjectMeta: in(namespace, v1.SecretRelay)},
		&corev1.Secret{ObjectMeta: in(namespace, v1.SecretClient)},
		&appsv1.Deployment{ObjectMeta: in(namespace, v1.RelayServiceAccount)},
		&policyv1.PodDisruptionBudget{ObjectMeta: in(namespace, v1.RelayServiceAccount)},
		&corev1.Service{ObjectMeta: in(namespace, v1.RelayService)},
		&corev1.ServiceAccount{ObjectMeta: in(namespace, v1.RelayServiceAccount)},
		&rbacv1.Role{ObjectMeta: in(namespace, v1.RelayServiceAccount)},
		&rbacv1.RoleBinding{ObjectMeta: in(namespace, v1.RelayServiceAccount)},
		&corev1.ServiceAccount{ObjectMeta: in(namespace, v1.AgentServiceAccount)},
		&rbacv1.Role{ObjectMeta: in(namespace, v1.AgentServiceAccount)},
		&rbacv1.RoleBinding{ObjectMeta: in(namespace, v1.AgentServiceAccount)},
		&rbacv1.ClusterRole{ObjectMeta: in("", v1.AgentServiceAccount)},
		&rbacv1.ClusterRoleBinding{ObjectMeta: in("", v1.AgentServiceAccount)},
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: in("", render.AdmissionName)},
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: in("", render.AdmissionName)},
	}
}

const nodesGauge = "kubearmor_operator_nodes"

func asksToDetach(kan *v1.KubeArmorNode) error {
	if !kan.Spec.Detach {
		return fmt.Errorf("detach is false")
	}
	return nil
}

// detached is what an agent reports that left the kernel.
func detached(kan *v1.KubeArmorNode) {
	kan.Status.Enforcer = ""
	set(kan, v1.NodeEnforcing, "False", v1.ReasonDetached)
}

func TestUninstallIsInOrderAndLeavesNothing(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "removed")
	k.detects()
	ds := k.pooled()
	agent := k.runsAgent(ds)
	k.agentReports()
	for _, o := range owned() {
		must(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	}
	neighbour := &corev1.ConfigMap{ObjectMeta: in(namespace, "neighbour")}
	neighbour.Labels = map[string]string{v1.LabelManagedBy: v1.ManagedBy}
	must(t, cluster.Create(t.Context(), neighbour))
	t.Cleanup(func() { _ = cluster.Delete(background(), neighbour) })

	eventually(t, "the node is measured", func() error {
		if got := gauges(t, nodesGauge); got != 1 {
			return fmt.Errorf("%d series", got)
		}
		return nil
	})

	started := time.Now()
	must(t, cluster.Delete(t.Context(), c.DeepCopy()))
	kan := k.kan("asks its agent to leave", asksToDetach)
	allThere := func() error {
		for _, o := range append(owned(), ds.DeepCopy(), kan.DeepCopy()) {
			if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
		}
		return nil
	}
	throughout(t, 2*time.Second, "everything stays while the agent leaves the kernel", func() error {
		n := &corev1.Node{}
		if err := cluster.Get(t.Context(), client.ObjectKey{Name: k.node}, n); err != nil {
			return err
		}
		if n.Labels[v1.LabelPool] != kan.Spec.Pool {
			return fmt.Errorf("without its label %s the node loses its agent: %v", v1.LabelPool, n.Labels)
		}
		return allThere()
	})
	fleet(t, c, "that it is being removed", func(s v1.KubeArmorConfigStatus) error {
		if s.Phase != "Deleting" || !strings.Contains(s.Message, "1 nodes") {
			return fmt.Errorf("phase %s: %s", s.Phase, s.Message)
		}
		return says(s, v1.ConfigReady, "False", v1.ReasonUninstalling)
	})

	k.agentReports(detached)
	for _, key := range []string{v1.LabelPool, v1.LabelEnforcer, v1.LabelRuntime, v1.LabelSocket, v1.LabelBTF} {
		k.label(key, "")
	}
	throughout(t, time.Second, "everything stays while the agent's Pod ends", allThere)

	k.endsAgent(agent)
	eventually(t, "the KubeArmorConfig goes", func() error { return isGone(t.Context(), c.DeepCopy()) })
	if got := gauges(t, nodesGauge); got != 0 {
		t.Errorf("%s still has %d series", nodesGauge, got)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, o := range append(owned(), ds.DeepCopy(), kan.DeepCopy()) {
		must(t, isGone(t.Context(), o))
	}
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(neighbour), neighbour); err != nil {
		t.Errorf("an object that only looks like ours is gone: %v", err)
	}
}

func TestUninstallDoesNotWaitForEverForANodeThatIsSilent(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "dead")
	k.detects()
	ds := k.pooled()
	k.runsAgent(ds)
	k.agentReports()
	k.heartbeatWas(2 * time.Minute)
	k.isReady(corev1.ConditionUnknown)
	k.kan("says that nobody reports", func(kan *v1.KubeArmorNode) error {
		return saysNode(kan, v1.NodeEnforcing, "Unknown", v1.ReasonAgentNotReporting)
	})
	must(t, cluster.Delete(t.Context(), c.DeepCopy()))
	eventually(t, "the KubeArmorNode goes", func() error { return isGone(t.Context(), &v1.KubeArmorNode{ObjectMeta: k.meta()}) })
	within(t, time.Minute, "the KubeArmorConfig goes", func() error { return isGone(t.Context(), c.DeepCopy()) })
	must(t, isGone(t.Context(), ds.DeepCopy()))
	eventually(t, "an Event names the node", func() error {
		list := &eventsv1.EventList{}
		if err := cluster.List(t.Context(), list); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Reason == "DetachUnconfirmed" && e.Regarding.Name == k.node && strings.Contains(e.Note, v1.PinPath) {
				return nil
			}
		}
		return fmt.Errorf("none of %d events", len(list.Items))
	})
}

func TestUninstallWaitsForAnAgentWhoseKubeletIsDown(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "kubelet-restarts")
	k.detects()
	agent := k.runsAgent(k.pooled())
	k.agentReports()
	k.isReady(corev1.ConditionFalse)
	must(t, cluster.Delete(t.Context(), c.DeepCopy()))
	k.kan("asks its agent to leave", asksToDetach)
	k.takesTheConfigAlong(c, agent)
}

func TestConfigWhoseFinalizerWasTakenOffLeavesNothing(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "forced")
	k.detects()
	ds := k.pooled()
	eventually(t, "the finalizer is off and the object gone", func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
			return client.IgnoreNotFound(err)
		}
		_ = cluster.Delete(t.Context(), c.DeepCopy())
		c.Finalizers = nil
		_ = cluster.Update(t.Context(), c)
		return fmt.Errorf("not yet")
	})
	eventually(t, "the DaemonSet goes", func() error { return isGone(t.Context(), &appsv1.DaemonSet{ObjectMeta: in(namespace, ds.Name)}) })
	for _, o := range owned() {
		eventually(t, fmt.Sprintf("%T goes", o), func() error { return isGone(t.Context(), o) })
	}
	k.label(v1.LabelPool, "")
}
