// SPDX-License-Identifier: Apache-2.0

package agent

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// inputs are everything that decides what is enforced on the node.
type inputs struct {
	containers []containers.Container
	// root is the cgroup of the node, podTrees those that hold all Pods.
	root     compile.Cgroup
	podTrees []compile.Cgroup
	// hostRoot is the node's own root directory; nil where it is not looked at.
	hostRoot compile.Root

	node       *metav1.PartialObjectMetadata
	pods       map[types.NamespacedName]*metav1.PartialObjectMetadata
	namespaces map[string]*metav1.PartialObjectMetadata
	settings   map[string]string

	policies        []securityv1.KubeArmorPolicy
	clusterPolicies []securityv1.KubeArmorClusterPolicy
	hostPolicies    []securityv1.KubeArmorHostPolicy
}

// planner turns inputs into workloads. It is pure but for its memory of parsed policies.
type planner struct {
	// system is the product's own namespace.
	system string
	parsed map[policyKey]*parsedPolicy
}

type policyKey struct {
	uid        types.UID
	generation int64
}

// parsedPolicy has no selector that selects anything when the policy's cannot be read; the operator says so in the
// policy's own status.
type parsedPolicy struct {
	policy   policy.Policy
	selector selector.Selector
	// refused is why the enforcer takes no rule of it; empty for all others.
	refused string
}

func (p *parsedPolicy) selection() compile.Selection {
	return compile.Selection{Policy: &p.policy, Refused: p.refused}
}

func (p *planner) workloads(in inputs) []compile.Workload {
	policies := p.parse(in)
	host, hostIsBound := p.host(in)
	var out []compile.Workload
	if hostIsBound {
		out = append(out, host)
		// Pods are no part of the host: bound to nothing, the trees that hold them keep the host's rules and visibility out.
		for _, tree := range in.podTrees {
			out = append(out, compile.Workload{Cgroup: tree, Exempt: true, Host: true})
		}
	}
	for _, c := range in.containers {
		w := compile.Workload{Cgroup: c.Cgroup, Exempt: hostIsBound}
		if c.Root != nil {
			w.Root = c.Root
		}
		pod := podOf(c, in.pods)
		treatment := selector.Treat(pod, selector.SystemNamespaces(p.system))
		w.Visible = podVisibility(in, pod, treatment)
		if treatment != selector.Untracked {
			w.Postures, w.AuditOnly = podPostures(in, c.Pod.Namespace), treatment == selector.Audited
			for _, candidate := range policies {
				if candidate.selector.SelectsPod(pod) && candidate.selector.SelectsContainer(c.Name) {
					w.Selections = append(w.Selections, candidate.selection())
				}
			}
		}
		out = append(out, w)
	}
	return out
}

// host is the node itself, with the host policies that select it, and whether it is to be bound to anything.
func (p *planner) host(in inputs) (compile.Workload, bool) {
	w := compile.Workload{Cgroup: in.root, Host: true, Postures: hostPostures(in), Root: in.hostRoot}
	if in.node == nil {
		return w, false
	}
	w.Visible = hostVisibility(in)
	treatment := selector.Treat(selector.Pod{Annotations: in.node.Annotations}, nil)
	if treatment == selector.Untracked {
		return w, w.Visible != 0
	}
	w.AuditOnly = treatment == selector.Audited
	for i := range in.hostPolicies {
		object := &in.hostPolicies[i]
		if !selector.SelectsNode(object, in.node.Labels) {
			continue
		}
		w.Selections = append(w.Selections, p.remember(object.UID, object.Generation, func() *parsedPolicy {
			return &parsedPolicy{policy: parse.HostPolicy(object)}
		}).selection())
	}
	return w, len(w.Selections) > 0 || w.Visible != 0
}

// parse reads the policies of Pods, each once, and forgets those that are gone.
func (p *planner) parse(in inputs) []*parsedPolicy {
	live := map[policyKey]bool{}
	var out []*parsedPolicy
	for i := range in.policies {
		object := &in.policies[i]
		live[policyKey{object.UID, object.Generation}] = true
		out = append(out, p.remember(object.UID, object.Generation, func() *parsedPolicy {
			s, _ := selector.ForPolicy(object)
			return &parsedPolicy{policy: parse.KubeArmorPolicy(object), selector: s}
		}))
	}
	for i := range in.clusterPolicies {
		object := &in.clusterPolicies[i]
		live[policyKey{object.UID, object.Generation}] = true
		out = append(out, p.remember(object.UID, object.Generation, func() *parsedPolicy {
			s, _ := selector.ForClusterPolicy(object)
			return &parsedPolicy{policy: parse.ClusterPolicy(object), selector: s}
		}))
	}
	for i := range in.hostPolicies {
		live[policyKey{in.hostPolicies[i].UID, in.hostPolicies[i].Generation}] = true
	}
	for key := range p.parsed {
		if !live[key] {
			delete(p.parsed, key)
		}
	}
	return out
}

func (p *planner) remember(uid types.UID, generation int64, read func() *parsedPolicy) *parsedPolicy {
	key := policyKey{uid, generation}
	if p.parsed[key] == nil {
		p.parsed[key] = read()
	}
	return p.parsed[key]
}

// refuse takes a policy out until it changes. It says false when there is none, or when it is out already.
func (p *planner) refuse(ref compile.Ref, why string) bool {
	for _, parsed := range p.parsed {
		if parsed.policy.Ref == ref && parsed.refused == "" {
			parsed.refused = why
			return true
		}
	}
	return false
}

// annotationMirror is on the API server's mirror of a static Pod, whose own UID differs from the one that runs.
const annotationMirror = "kubernetes.io/config.mirror"

// podOf gives the labels of a container's Pod: the API server's, and where it does not know the Pod (it is away, or
// the Pod is newer than the watch), those that its sandbox was made with.
func podOf(c containers.Container, pods map[types.NamespacedName]*metav1.PartialObjectMetadata) selector.Pod {
	if pod := apiPod(c, pods); pod != nil {
		return selector.Pod{Namespace: c.Pod.Namespace, Labels: pod.Labels, Annotations: pod.Annotations}
	}
	return selector.Pod{Namespace: c.Pod.Namespace, Labels: c.Labels, Annotations: c.Annotations}
}

func apiPod(c containers.Container, pods map[types.NamespacedName]*metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata {
	pod := pods[types.NamespacedName{Namespace: c.Pod.Namespace, Name: c.Pod.Name}]
	if pod == nil || (string(pod.UID) != c.Pod.UID && pod.Annotations[annotationMirror] != c.Pod.UID) {
		return nil
	}
	return pod
}
