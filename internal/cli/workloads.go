// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// workloads are the Pods of a cluster with what decides which policies hold for them.
type workloads struct {
	pods       []corev1.Pod
	namespaces []corev1.Namespace
	configs    []v1.KubeArmorConfig
	policies   []runtime.Object
}

// readWorkloads asks the cluster for them.
func readWorkloads(ctx context.Context, o objects) (w workloads, err error) {
	if w.pods, err = listAs[corev1.Pod](ctx, o, coreKind("pods")); err != nil {
		return w, err
	}
	if w.namespaces, err = listAs[corev1.Namespace](ctx, o, coreKind("namespaces")); err != nil {
		return w, err
	}
	if w.configs, err = listAs[v1.KubeArmorConfig](ctx, o, operatorKind("kubearmorconfigs")); err != nil {
		return w, err
	}
	ofPods, err := listAs[securityv1.KubeArmorPolicy](ctx, o, securityKind("kubearmorpolicies"))
	if err != nil {
		return w, err
	}
	ofCluster, err := listAs[securityv1.KubeArmorClusterPolicy](ctx, o, securityKind("kubearmorclusterpolicies"))
	if err != nil {
		return w, err
	}
	for i := range ofPods {
		w.policies = append(w.policies, &ofPods[i])
	}
	for i := range ofCluster {
		w.policies = append(w.policies, &ofCluster[i])
	}
	return w, nil
}

// podReport says what holds for one Pod.
type podReport struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Node      string `json:"node"`
	// Enforced is yes, observed, partly, pending, no or unknown: the worst of its policies on its node.
	Enforced string `json:"enforced"`
	// Posture of files (and processes), network (and DNS) and capabilities: what allow-lists do with the rest.
	Posture podPosture `json:"posture"`
	// Policies that select at least one of its containers.
	Policies []podPolicy `json:"policies"`
}

type podPolicy struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// shortPolicies names the policies; those of the whole cluster begin with csp/.
func (p podReport) shortPolicies() string {
	var names []string
	for _, held := range p.Policies {
		if held.Kind == policy.KindClusterPolicy {
			held.Name = "csp/" + held.Name
		}
		names = append(names, held.Name)
	}
	return strings.Join(names, ",")
}

type podPosture struct {
	File         policy.Posture `json:"file"`
	Network      policy.Posture `json:"network"`
	Capabilities policy.Posture `json:"capabilities"`
}

// String is one word where the three are the same.
func (p podPosture) String() string {
	if p.File == p.Network && p.File == p.Capabilities {
		return string(p.File)
	}
	return string(p.File) + "," + string(p.Network) + "," + string(p.Capabilities)
}

// podReports are of the Pods that any policy selects, by namespace and name; others counts the running rest.
func podReports(w workloads, nodes []v1.KubeArmorNode) (reports []podReport, others int) {
	settings := w.settings()
	annotations := map[string]map[string]string{}
	for _, n := range w.namespaces {
		annotations[n.Name] = n.Annotations
	}
	byName := map[string]v1.KubeArmorNode{}
	for _, n := range nodes {
		byName[n.Name] = n
	}
	documents, generations := w.documents()
	for _, pod := range w.pods {
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		refs, postures := selectedBy(documents, pod, annotations[pod.Namespace], settings)
		if len(refs) == 0 {
			others++
			continue
		}
		r := podReport{
			Namespace: pod.Namespace, Name: pod.Name, Node: pod.Spec.NodeName,
			Enforced: worst(byName[pod.Spec.NodeName], refs, generations),
			Posture:  podPosture{postures[policy.DomainFile], postures[policy.DomainNetwork], postures[policy.DomainCapabilities]},
		}
		for _, ref := range refs {
			r.Policies = append(r.Policies, podPolicy(ref))
		}
		reports = append(reports, r)
	}
	slices.SortFunc(reports, func(a, b podReport) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return reports, others
}

// settings of the KubeArmorConfig in force: the oldest.
func (w workloads) settings() (s model.Settings) {
	namespace := defaultNamespace
	s.Postures = map[policy.Domain]policy.Posture{}
	if len(w.configs) > 0 {
		config := slices.MinFunc(w.configs, func(a, b v1.KubeArmorConfig) int {
			return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
		})
		namespace = config.Namespace
		s.Postures[policy.DomainFile] = policy.Posture(config.Spec.DefaultFilePosture)
		s.Postures[policy.DomainNetwork] = policy.Posture(config.Spec.DefaultNetworkPosture)
		s.Postures[policy.DomainCapabilities] = policy.Posture(config.Spec.DefaultCapabilitiesPosture)
	}
	s.SystemNamespaces = selector.SystemNamespaces(namespace)
	return s
}

// documents are the policies, parsed, with their objects' generations.
func (w workloads) documents() (documents []model.Document, generations map[policy.Ref]int64) {
	generations = map[policy.Ref]int64{}
	for _, object := range w.policies {
		d, is := model.Parse(object)
		if !is {
			continue
		}
		documents = append(documents, d)
		if o, is := object.(interface{ GetGeneration() int64 }); is {
			generations[d.Policy.Ref] = o.GetGeneration()
		}
	}
	return documents, generations
}

// selectedBy are the policies of any container of the Pod, in order.
func selectedBy(documents []model.Document, pod corev1.Pod, namespace map[string]string, settings model.Settings) ([]policy.Ref, map[policy.Domain]policy.Posture) {
	var refs []policy.Ref
	var postures map[policy.Domain]policy.Posture
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		w := model.Select(documents, model.Subject{
			Namespace: pod.Namespace, NamespaceAnnotations: namespace, Container: c.Name, Labels: pod.Labels, Annotations: pod.Annotations,
		}, settings)
		postures = w.Postures
		for _, s := range w.Policies {
			refs = append(refs, s.Policy.Ref)
		}
	}
	slices.SortFunc(refs, func(a, b policy.Ref) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(refs), postures
}

// worst is what the node says of its worst policy among these.
func worst(n v1.KubeArmorNode, refs []policy.Ref, generations map[policy.Ref]int64) string {
	if enforcing(n) == "unknown" {
		return "unknown"
	}
	held := map[policy.Ref]v1.NodePolicy{}
	for _, p := range n.Status.Policies {
		held[policy.Ref{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}] = p
	}
	order := []string{"unknown", "no", "pending", "partly", "observed", "yes"}
	at := len(order) - 1
	for _, ref := range refs {
		at = min(at, slices.Index(order, inForce(n, held, ref, generations[ref])))
	}
	return order[at]
}

// inForce is what became of one policy on a node.
func inForce(n v1.KubeArmorNode, held map[policy.Ref]v1.NodePolicy, ref policy.Ref, generation int64) string {
	p, found := held[ref]
	switch {
	case !found && n.Status.PoliciesOmitted > 0:
		return "unknown"
	case !found, p.Generation < generation:
		return "pending"
	case p.State == v1.PolicyRefused:
		return "no"
	case p.State == v1.PolicyDegraded:
		return "partly"
	case p.State == v1.PolicyObserved:
		return "observed"
	}
	return "yes"
}
