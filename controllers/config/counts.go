// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// Bounds of the lists in the status; api/operator/v1 has the same.
const (
	maxFailingNodes   = 20
	maxPools          = 64
	maxFailingMessage = 512
)

// isDetected says whether the facts are of the node's present boot, kernel, runtime and image.
func (s *scope) isDetected(n *corev1.Node) bool {
	kan := s.kans[n.Name]
	return kan != nil && kan.Spec.Probe.Reason == v1.ReasonProbeSucceeded &&
		kan.Spec.Probe.Inputs == render.ProbeInputs(n.Status.NodeInfo, s.settings.Image)
}

func (s *scope) isEnforcing(n *corev1.Node) bool {
	kan := s.kans[n.Name]
	return kan != nil && conditions.IsTrue(kan.Status.Conditions, v1.NodeEnforcing)
}

// isWhole says whether the node enforces, and every policy that it has.
func (s *scope) isWhole(n *corev1.Node) bool {
	return s.isEnforcing(n) && conditions.Get(s.kans[n.Name].Status.Conditions, v1.NodePoliciesApplied).Status != "False"
}

func (s *scope) count() v1.NodeCounts {
	c := v1.NodeCounts{Total: int32(len(s.nodes))}
	for i := range s.nodes {
		n := &s.nodes[i]
		if !IsLinux(n) {
			c.Unsupported++
			continue
		}
		c.Detected += one(s.isDetected(n))
		c.Enforcing += one(s.isEnforcing(n))
		c.Degraded += one(!s.isWhole(n))
	}
	return c
}

func one(is bool) int32 {
	if is {
		return 1
	}
	return 0
}

// failing are the first Linux nodes, by name, that do not enforce.
func (s *scope) failing() []v1.FailingNode {
	var out []v1.FailingNode
	for i := range s.nodes {
		n := &s.nodes[i]
		if !IsLinux(n) || s.isEnforcing(n) {
			continue
		}
		why := conditions.Verdict{Reason: v1.ReasonProbePending, Message: "the node was not looked at yet"}
		if kan := s.kans[n.Name]; kan != nil {
			why = conditions.Get(kan.Status.Conditions, v1.NodeEnforcing)
		}
		out = append(out, v1.FailingNode{
			Name: n.Name, Reason: cmp.Or(why.Reason, v1.ReasonAgentNotReporting), Message: conditions.Clip(why.Message, maxFailingMessage),
		})
	}
	slices.SortFunc(out, func(a, b v1.FailingNode) int { return cmp.Compare(a.Name, b.Name) })
	return out[:min(len(out), maxFailingNodes)]
}

// poolLines are the pools' lines, by name, and how many the bound left out.
func (s *scope) poolLines() ([]v1.PoolStatus, int32) {
	var out []v1.PoolStatus
	for _, p := range s.pools {
		line := v1.PoolStatus{Name: p.Name(), Enforcer: p.Enforcer, Arch: p.Arch, Nodes: int32(len(p.Nodes)), Image: p.Image}
		if ds := s.daemonSets[render.DaemonSetName(line.Name)]; ds != nil {
			line.Ready = ds.Status.NumberReady
		}
		for _, name := range p.Nodes {
			line.Enforcing += one(conditions.IsTrue(s.kans[name].Status.Conditions, v1.NodeEnforcing))
		}
		out = append(out, line)
	}
	kept := min(len(out), maxPools)
	return out[:kept], int32(len(out) - kept)
}

// detected looks at failures first: a node that waits for its turn needs nobody's attention.
func (s *scope) detected() conditions.Verdict {
	linux, done, failed, first := 0, 0, 0, ""
	for i := range s.nodes {
		n := &s.nodes[i]
		if !IsLinux(n) {
			continue
		}
		linux++
		if s.isDetected(n) {
			done++
		} else if kan := s.kans[n.Name]; kan != nil && kan.Spec.Probe.Failures > 0 {
			failed++
			if first == "" || n.Name < first {
				first = n.Name
			}
		}
	}
	switch {
	case linux == 0:
		return conditions.False(v1.ReasonNoNodes, "the cluster has no Linux node that the selectors admit")
	case failed > 0:
		probe := s.kans[first].Spec.Probe
		return conditions.False(v1.ReasonDetectionFailed,
			fmt.Sprintf("%d of %d Linux nodes could not be probed; the first is %s: %s: %s", failed, linux, first, probe.Reason, probe.Message))
	case done < linux:
		return conditions.False(v1.ReasonDetecting, fmt.Sprintf("%d of %d Linux nodes are detected", done, linux))
	default:
		return conditions.True(v1.ReasonAsExpected, fmt.Sprintf("all %d Linux nodes are detected", linux))
	}
}

func (s *scope) rollout() conditions.Verdict {
	var pending []string
	for _, p := range s.pools {
		if ds := s.daemonSets[render.DaemonSetName(p.Name())]; ds == nil || !isRolledOut(ds, len(p.Nodes)) {
			pending = append(pending, p.Name())
		}
	}
	switch {
	case len(s.pools) == 0:
		return conditions.False(v1.ReasonRolloutInProgress, "no node has a pool yet")
	case len(pending) > 0:
		return conditions.False(v1.ReasonRolloutInProgress,
			fmt.Sprintf("%d of %d pools are not rolled out; the first is %s", len(pending), len(s.pools), pending[0]))
	default:
		return conditions.True(v1.ReasonAsExpected, fmt.Sprintf("all %d pools are rolled out", len(s.pools)))
	}
}

// isRolledOut says whether every node of the pool runs a ready agent of the DaemonSet's present template.
func isRolledOut(ds *appsv1.DaemonSet, nodes int) bool {
	st, want := ds.Status, int32(nodes)
	return st.ObservedGeneration >= ds.Generation && st.DesiredNumberScheduled == want &&
		st.UpdatedNumberScheduled == want && st.NumberReady == want
}

func (s *scope) enforcing() conditions.Verdict {
	c := s.count()
	linux := c.Total - c.Unsupported
	switch failing := s.failing(); {
	case linux == 0:
		return conditions.False(v1.ReasonNoNodes, "the cluster has no Linux node that the selectors admit")
	case len(failing) > 0:
		first := failing[0]
		return conditions.False(v1.ReasonNodesNotEnforcing,
			fmt.Sprintf("%d of %d Linux nodes enforce; the first that does not is %s: %s", c.Enforcing, linux, first.Name, first.Reason))
	default:
		return conditions.True(v1.ReasonAsExpected, fmt.Sprintf("all %d Linux nodes enforce", linux))
	}
}
