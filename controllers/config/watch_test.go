// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestNodeChangedLeavesOutHeartbeats(t *testing.T) {
	node := func(boot string, swap int64) *corev1.Node {
		n := &corev1.Node{}
		n.Status.NodeInfo = corev1.NodeSystemInfo{BootID: boot, Swap: &corev1.NodeSwapStatus{Capacity: ptr.To(swap)}}
		return n
	}
	cases := []struct {
		name    string
		was, is *corev1.Node
		want    bool
	}{
		{"the same facts read twice are no change", node("a", 1), node("a", 1), false},
		{"another boot is one", node("a", 1), node("b", 1), true},
		{"another size of swap is one", node("a", 1), node("a", 2), true},
	}
	for _, c := range cases {
		if got := NodeChanged(event.UpdateEvent{ObjectOld: c.was, ObjectNew: c.is}); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
