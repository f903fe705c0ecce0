// SPDX-License-Identifier: Apache-2.0

package product

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Nodes lists the KubeArmorNodes by name.
func (c *Cluster) Nodes(ctx context.Context) ([]operatorv1.KubeArmorNode, error) {
	list := &operatorv1.KubeArmorNodeList{}
	if err := c.Client.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list KubeArmorNodes: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b operatorv1.KubeArmorNode) int { return cmp.Compare(a.Name, b.Name) })
	return list.Items, nil
}

// Progress is one word, or a few, on how far a node has come.
func Progress(n *operatorv1.KubeArmorNode) string {
	if n.Spec.Facts == nil {
		return strings.TrimSuffix("probe: "+cmp.Or(n.Spec.Probe.Reason, "not begun")+": "+n.Spec.Probe.Message, ": ")
	}
	if n.Spec.Verdict == nil {
		return "no verdict yet"
	}
	if ready := meta.FindStatusCondition(n.Status.Conditions, operatorv1.NodeReady); ready == nil || ready.Status != metav1.ConditionTrue {
		text := fmt.Sprintf("verdict %s (%s), agent not ready", n.Spec.Verdict.Enforcer, n.Spec.Verdict.Reason)
		if ready != nil {
			text += ": " + ready.Reason + ": " + ready.Message
		}
		return text
	}
	enforcing := meta.FindStatusCondition(n.Status.Conditions, operatorv1.NodeEnforcing)
	if enforcing == nil {
		return "agent ready, says nothing on enforcing"
	}
	return fmt.Sprintf("agent ready, enforcer %s, enforcing %s (%s)", n.Status.Enforcer, enforcing.Status, enforcing.Reason)
}

// Settled says whether a node was detected and its agent reports whether it enforces.
func Settled(n *operatorv1.KubeArmorNode) bool {
	return n.Spec.Facts != nil && n.Spec.Verdict != nil && n.Spec.Probe.Reason == operatorv1.ReasonProbeSucceeded &&
		meta.IsStatusConditionTrue(n.Status.Conditions, operatorv1.NodeReady) &&
		meta.FindStatusCondition(n.Status.Conditions, operatorv1.NodeEnforcing) != nil
}

// Enforcing says whether a node claims that a denial would really happen on it.
func Enforcing(n *operatorv1.KubeArmorNode) bool {
	return meta.IsStatusConditionTrue(n.Status.Conditions, operatorv1.NodeEnforcing)
}

// WaitSettled returns when every Linux node of the cluster is settled and its agent ready; each change of a node is told.
// Both count: what a node last reported outlives the agent that reported it.
func (c *Cluster) WaitSettled(ctx context.Context, limit time.Duration, tell func(node, progress string)) error {
	said := map[string]string{}
	return Until(ctx, limit, func(ctx context.Context) (bool, string, error) {
		var all corev1.NodeList
		if err := c.Client.List(ctx, &all); err != nil {
			return false, "", err
		}
		nodes, err := c.Nodes(ctx)
		if err != nil {
			return false, "", err
		}
		settled := 0
		var open []string
		for i := range nodes {
			progress := Progress(&nodes[i])
			if said[nodes[i].Name] != progress {
				said[nodes[i].Name] = progress
				tell(nodes[i].Name, progress)
			}
			if !Settled(&nodes[i]) {
				open = append(open, nodes[i].Name+": "+progress)
				continue
			}
			if agent, err := c.AgentOn(ctx, nodes[i].Name); err != nil || !podReady(agent) {
				open = append(open, nodes[i].Name+": its agent is not ready")
				continue
			}
			settled++
		}
		missing := len(all.Items) - len(nodes)
		return settled == len(all.Items), fmt.Sprintf("%d nodes without a KubeArmorNode; %s", missing, strings.Join(open, "; ")), nil
	})
}

// WaitPolicy returns when each node says that a namespace's KubeArmorPolicy is in force, or observed, for at least one container of it.
func (c *Cluster) WaitPolicy(ctx context.Context, limit time.Duration, namespace, name string, generation int64) error {
	return Until(ctx, limit, func(ctx context.Context) (bool, string, error) {
		nodes, err := c.Nodes(ctx)
		if err != nil {
			return false, "", err
		}
		var open []string
		for i := range nodes {
			if state := policyState(&nodes[i], namespace, name, generation); state != "" {
				open = append(open, nodes[i].Name+": "+state)
			}
		}
		return len(open) == 0 && len(nodes) > 0, strings.Join(open, "; "), nil
	})
}

// policyState is empty when the policy works on the node, else it says what is missing.
func policyState(n *operatorv1.KubeArmorNode, namespace, name string, generation int64) string {
	i := slices.IndexFunc(n.Status.Policies, func(p operatorv1.NodePolicy) bool {
		return p.Kind == "KubeArmorPolicy" && p.Namespace == namespace && p.Name == name
	})
	if i < 0 {
		return "does not report the policy"
	}
	p := n.Status.Policies[i]
	want := operatorv1.PolicyObserved
	if Enforcing(n) {
		want = operatorv1.PolicyEnforced
	}
	switch {
	case p.Generation != generation:
		return fmt.Sprintf("has generation %d of it, not %d", p.Generation, generation)
	case p.State != want:
		return fmt.Sprintf("is %s, not %s: %s %s", p.State, want, p.Reason, p.Message)
	case p.Containers == 0:
		return "selects no container yet"
	}
	return ""
}

// PodOn finds the Pod with these labels that runs on a node.
func (c *Cluster) PodOn(ctx context.Context, namespace, node string, labels map[string]string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.Client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(labels)); err != nil {
		return nil, fmt.Errorf("list Pods: %w", err)
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Spec.NodeName == node && p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no running Pod with labels %v on node %s", labels, node)
}

// AgentOn is the agent's Pod on a node.
func (c *Cluster) AgentOn(ctx context.Context, node string) (*corev1.Pod, error) {
	return c.PodOn(ctx, Namespace, node, map[string]string{operatorv1.LabelApp: operatorv1.AppAgent})
}

func podReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
