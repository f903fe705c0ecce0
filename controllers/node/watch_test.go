// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestNodeChangedSeesTheLifeOfANode(t *testing.T) {
	node := func(change func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{UID: "first", Labels: map[string]string{"a": "b"}}}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		change(n)
		return n
	}
	same := func(*corev1.Node) {}
	cases := []struct {
		name   string
		change func(*corev1.Node)
		want   bool
	}{
		{"the same node read twice is no change", same, false},
		{"a heartbeat is none", func(n *corev1.Node) { n.Status.Conditions[0].LastHeartbeatTime = metav1.Unix(1, 0) }, false},
		{"a kubelet that went away is one", func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }, true},
		{"another node under the same name is one", func(n *corev1.Node) { n.UID = "second" }, true},
		{"a node that is being deleted is one", func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, true},
		{"what the fleet's status depends on is one here, too", func(n *corev1.Node) { n.Labels["a"] = "c" }, true},
	}
	for _, c := range cases {
		if got := nodeChanged(event.UpdateEvent{ObjectOld: node(same), ObjectNew: node(c.change)}); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
