// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

func TestObjectDeletedByHandComesBackAndItsAgentStays(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "by-hand")
	k.detects()
	k.runsAgent(k.pooled())
	k.agentReports()
	before := k.kan("exists", func(*v1.KubeArmorNode) error { return nil })
	must(t, cluster.Delete(t.Context(), before.DeepCopy()))
	throughout(t, 2*time.Second, "the node keeps the label that its agent lives by", func() error {
		n := &corev1.Node{}
		if err := cluster.Get(t.Context(), client.ObjectKey{Name: k.node}, n); err != nil {
			return err
		}
		if got := n.Labels[v1.LabelPool]; got != before.Spec.Pool {
			return fmt.Errorf("it is %q, want %q", got, before.Spec.Pool)
		}
		return nil
	})
	k.kan("is another one with the same pool", func(kan *v1.KubeArmorNode) error {
		if kan.UID == before.UID || kan.DeletionTimestamp != nil || kan.Spec.Pool != before.Spec.Pool || len(kan.Finalizers) != 1 {
			return fmt.Errorf("%s, pool %s, finalizers %v", kan.UID, kan.Spec.Pool, kan.Finalizers)
		}
		return nil
	})
}

func TestObjectDeletedWithTheConfigIsDetachedFirst(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "with-config")
	k.detects()
	agent := k.runsAgent(k.pooled())
	k.agentReports()
	must(t, cluster.DeleteAllOf(t.Context(), &v1.KubeArmorNode{}))
	must(t, cluster.Delete(t.Context(), c.DeepCopy()))
	k.kan("asks its agent to leave", asksToDetach)
	must(t, cluster.DeleteAllOf(t.Context(), &v1.KubeArmorNode{}))
	k.takesTheConfigAlong(c, agent)
}

func TestObjectGoesAtOnceWithItsNode(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "node-gone")
	k.detects()
	k.runsAgent(k.pooled())
	k.agentReports()
	kan := k.kan("is held", func(kan *v1.KubeArmorNode) error {
		if len(kan.Finalizers) != 1 {
			return fmt.Errorf("finalizers are %v", kan.Finalizers)
		}
		return nil
	})
	must(t, cluster.Delete(t.Context(), &corev1.Node{ObjectMeta: k.meta()}))
	within(t, 5*time.Second, "the object goes", func() error { return isGone(t.Context(), kan) })
}
