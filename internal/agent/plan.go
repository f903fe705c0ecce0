// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// inputs are everything that decides what is enforced on the node.
type inputs struct {
	containers []containers.Container
	// root is the cgroup of the node, podTrees those that hold all Pods.
	root     compile.Cgroup
	podTrees []compile.Cgroup

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
	policy   *compile.Policy
	selector selector.Selector
	refused  bool
}

// Keys of the ConfigMap.
const (
	settingFilePosture     = "defaultFilePosture"
	settingHostFilePosture = "hostDefaultFilePosture"
)

func (p *planner) workloads(in inputs) []compile.Workload {
	policies := p.parse(in)
	host, hostIsPoliced := p.host(in)
	var out []compile.Workload
	if hostIsPoliced {
		out = append(out, host)
		// Pods are no part of the host: bound to nothing, the trees that hold them keep the host's rules out.
		for _, tree := range in.podTrees {
			out = append(out, compile.Workload{Cgroup: tree, Exempt: true, Host: true})
		}
	}
	for _, c := range in.containers {
		w := compile.Workload{Cgroup: c.Cgroup, Exempt: hostIsPoliced}
		pod := podOf(c, in.pods)
		treatment := selector.Treat(pod, selector.SystemNamespaces(p.system))
		if treatment != selector.Untracked {
			w.FilePosture = filePosture(in, c.Pod.Namespace)
			for _, candidate := range policies {
				if candidate.selector.SelectsPod(pod) && candidate.selector.SelectsContainer(c.Name) {
					w.Selections = append(w.Selections, compile.Selection{
						Policy: candidate.policy, AuditOnly: treatment == selector.Audited,
					})
				}
			}
		}
		out = append(out, w)
	}
	return out
}

// host is the node itself, with the host policies that select it.
func (p *planner) host(in inputs) (compile.Workload, bool) {
	w := compile.Workload{Cgroup: in.root, Host: true, FilePosture: compile.Posture(cmp.Or(in.settings[settingHostFilePosture], string(compile.PostureAudit)))}
	if in.node == nil {
		return w, false
	}
	treatment := selector.Treat(selector.Pod{Annotations: in.node.Annotations}, nil)
	if treatment == selector.Untracked {
		return w, false
	}
	for i := range in.hostPolicies {
		policy := &in.hostPolicies[i]
		if !selector.SelectsNode(policy, in.node.Labels) {
			continue
		}
		parsed := p.remember(policy.UID, policy.Generation, func() *parsedPolicy {
			return &parsedPolicy{policy: compile.FromHostPolicy(policy)}
		})
		w.Selections = append(w.Selections, compile.Selection{Policy: parsed.policy, AuditOnly: treatment == selector.Audited})
	}
	return w, len(w.Selections) > 0
}

// parse reads the policies of Pods, each once, and forgets those that are gone.
func (p *planner) parse(in inputs) []*parsedPolicy {
	live := map[policyKey]bool{}
	var out []*parsedPolicy
	for i := range in.policies {
		policy := &in.policies[i]
		live[policyKey{policy.UID, policy.Generation}] = true
		out = append(out, p.remember(policy.UID, policy.Generation, func() *parsedPolicy {
			s, _ := selector.ForPolicy(policy)
			return &parsedPolicy{policy: compile.FromPolicy(policy), selector: s}
		}))
	}
	for i := range in.clusterPolicies {
		policy := &in.clusterPolicies[i]
		live[policyKey{policy.UID, policy.Generation}] = true
		out = append(out, p.remember(policy.UID, policy.Generation, func() *parsedPolicy {
			s, _ := selector.ForClusterPolicy(policy)
			return &parsedPolicy{policy: compile.FromClusterPolicy(policy), selector: s}
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

func (p *planner) remember(uid types.UID, generation int64, parse func() *parsedPolicy) *parsedPolicy {
	key := policyKey{uid, generation}
	if p.parsed[key] == nil {
		p.parsed[key] = parse()
	}
	return p.parsed[key]
}

// refuse takes a policy out until it changes. It says false when there is none, or when it is out already.
func (p *planner) refuse(ref compile.Ref, why string) bool {
	for _, parsed := range p.parsed {
		if parsed.policy.Ref == ref && !parsed.refused {
			parsed.policy, parsed.refused = parsed.policy.Refused(why), true
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

// filePosture: the namespace's annotation, then the KubeArmorConfig's setting, then audit.
func filePosture(in inputs, namespace string) compile.Posture {
	for _, word := range []string{annotation(in.namespaces[namespace], operatorv1.AnnotationFilePosture), in.settings[settingFilePosture]} {
		switch posture := compile.Posture(word); posture {
		case compile.PostureAllow, compile.PostureAudit, compile.PostureBlock:
			return posture
		}
	}
	return compile.PostureAudit
}

func annotation(object *metav1.PartialObjectMetadata, key string) string {
	if object == nil {
		return ""
	}
	return object.Annotations[key]
}
