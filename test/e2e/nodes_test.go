// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
)

func bootID(t *testing.T, n *node.Node) string {
	t.Helper()
	return strings.TrimSpace(on(t, n, "cat /proc/sys/kernel/random/boot_id"))
}

func (s *suite) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func testTaintAndLabel(t *testing.T, s *suite) {
	name := s.node(t, true).Name
	agent, err := s.AgentOn(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "taint", "node", name, "e2e=true:NoExecute")
	s.kubectl(t, "label", "node", name, "e2e=true", "--overwrite")
	s.checkStays(t, agent)
	// The operator may have run on that node, where the taint ended it: another one leads first.
	pool := s.nodeLabels(t, name)[operatorv1.LabelPool]
	s.kubectl(t, "label", "node", name, operatorv1.LabelPool+"=somewhere-else", "--overwrite")
	within(t, 2*time.Minute, "the pool label is ours again", func(ctx context.Context) (bool, string, error) {
		now := s.nodeLabels(t, name)[operatorv1.LabelPool]
		return now == pool, "it is " + now, nil
	})
	s.kubectl(t, "label", "node", name, operatorv1.LabelPool+"-")
	within(t, repairLimit, "the removed pool label is back", func(ctx context.Context) (bool, string, error) {
		now := s.nodeLabels(t, name)[operatorv1.LabelPool]
		return now == pool, "it is " + now, nil
	})
	// Without the label a node is no target of the DaemonSet for a moment, whose controller may end the agent: what is
	// pinned enforces on, and an agent comes back.
	s.checkOperations(t, name, true)
	if err := s.WaitSettled(t.Context(), 3*time.Minute, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	s.checkOperations(t, name, true)
	s.kubectl(t, "taint", "node", name, "e2e-")
	s.kubectl(t, "label", "node", name, "e2e-")
}

// checkStays watches that a Pod is neither ended nor evicted, for as long as a taint manager takes many times over.
func (s *suite) checkStays(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var now corev1.Pod
		if err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), &now); err != nil {
			t.Fatalf("the taint NoExecute drove the agent away: %v", err)
		}
		if now.UID != pod.UID || now.DeletionTimestamp != nil {
			t.Fatalf("the taint NoExecute drove the agent away: %s is ending, or another one", pod.Name)
		}
	}
}

func (s *suite) nodeLabels(t *testing.T, name string) map[string]string {
	t.Helper()
	var n corev1.Node
	if err := s.Client.Get(t.Context(), nodeKey(name), &n); err != nil {
		t.Fatal(err)
	}
	return n.Labels
}

func testReboot(t *testing.T, s *suite) {
	n := s.node(t, true)
	before := bootID(t, n)
	on(t, n, "sync")
	reset(t, n)
	after := before
	within(t, 2*time.Minute, "the machine runs again", func(ctx context.Context) (bool, string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		out, err := n.Run(ctx, "cat /proc/sys/kernel/random/boot_id")
		after = strings.TrimSpace(out)
		if err != nil {
			return false, "", fmt.Errorf("%w; its console ends with %s", err, tail(n.Console()))
		}
		return after != before && after != "", "boot " + after, nil
	})
	s.enforcingAgain(t, 5*time.Minute, n.Name, after)
	s.kubectl(t, "-n", "shop", "rollout", "status", "daemonset/web", "--timeout=180s")
	if err := s.Protect(t.Context(), 3*time.Minute); err != nil {
		t.Fatal(err)
	}
	s.checkOperations(t, n.Name, true)
}

func reset(t *testing.T, n *node.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := n.Reset(ctx); err != nil {
		t.Fatal(err)
	}
}

// tail is the last part of a file.
func tail(path string) string {
	const most = 2000
	all, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(all[max(0, len(all)-most):])
}

func testRemoveNode(t *testing.T, s *suite) {
	n := s.node(t, false)
	on(t, n, "touch /run/hold-kubelet; pkill -KILL -x kubelet")
	s.kubectl(t, "delete", "node", n.Name)
	within(t, time.Minute, "the KubeArmorNode of the removed node is gone", func(ctx context.Context) (bool, string, error) {
		var gone operatorv1.KubeArmorNode
		err := s.Client.Get(ctx, nodeKey(n.Name), &gone)
		return apierrors.IsNotFound(err), "it is still there", nil
	})
	// The operator may have run on that node: another one then takes over first.
	within(t, 4*time.Minute, "the KubeArmorConfig counts one node less", func(ctx context.Context) (bool, string, error) {
		var list operatorv1.KubeArmorConfigList
		if err := s.Client.List(ctx, &list); err != nil || len(list.Items) != 1 {
			return false, fmt.Sprintf("%d KubeArmorConfigs", len(list.Items)), err
		}
		total := list.Items[0].Status.Nodes.Total
		return int(total) == len(s.fleet.Nodes)-1, fmt.Sprintf("it counts %d", total), nil
	})
	on(t, n, "rm /run/hold-kubelet")
	within(t, 2*time.Minute, "the node is back", func(ctx context.Context) (bool, string, error) {
		var back corev1.Node
		return s.Client.Get(ctx, nodeKey(n.Name), &back) == nil, "not registered", nil
	})
	if err := s.WaitSettled(t.Context(), 5*time.Minute, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
}
