// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// Document is a policy object and what it says, parsed.
type Document struct {
	// Object is a KubeArmorPolicy, KubeArmorClusterPolicy or KubeArmorHostPolicy: its selector is read.
	Object runtime.Object
	Policy policy.Policy
}

// Parse reads a policy object. It says false for one that is no policy.
func Parse(object runtime.Object) (Document, bool) {
	switch p := object.(type) {
	case *securityv1.KubeArmorPolicy:
		return Document{p, parse.KubeArmorPolicy(p)}, true
	case *securityv1.KubeArmorClusterPolicy:
		return Document{p, parse.ClusterPolicy(p)}, true
	case *securityv1.KubeArmorHostPolicy:
		return Document{p, parse.HostPolicy(p)}, true
	default:
		return Document{}, false
	}
}

// Subject is what policies select: one container of a Pod, or the host.
type Subject struct {
	// Host: the node itself. Then Labels and Annotations are the node's, and the next three fields are empty.
	Host                 bool
	Namespace            string
	NamespaceAnnotations map[string]string
	Container            string

	Labels, Annotations map[string]string

	// Every policy of its kind is taken to select the subject, whatever the selector says: the question is what policies
	// do, and not whom they are for.
	Every bool
}

// Settings of the cluster.
type Settings struct {
	// Postures of the KubeArmorConfig for what the subject is (default…Posture or hostDefault…Posture), by DomainFile,
	// DomainNetwork and DomainCapabilities; audit where there is none.
	Postures map[policy.Domain]policy.Posture
	// SystemNamespaces whose Pods are left alone unless an annotation asks for more.
	SystemNamespaces []string
}

// Select gives the workload that a subject is. It is one without policies where the annotation kubearmor-policy of the
// Pod or node says disabled, and where a Pod of a system namespace does not say enabled or audited. A container policy
// never concerns the host, nor a host policy a container. A selector that cannot be read selects nothing.
func Select(documents []Document, s Subject, settings Settings) Workload {
	w := Workload{Postures: postures(s, settings)}
	pod := selector.Pod{Namespace: s.Namespace, Labels: s.Labels, Annotations: s.Annotations}
	treatment := selector.Treat(pod, settings.SystemNamespaces)
	if treatment == selector.Untracked {
		return w
	}
	for _, d := range documents {
		if selects(d.Object, s, pod) {
			w.Policies = append(w.Policies, Selected{Policy: d.Policy, AuditOnly: treatment == selector.Audited})
		}
	}
	return w
}

func selects(object runtime.Object, s Subject, pod selector.Pod) bool {
	var pods selector.Selector
	switch p := object.(type) {
	case *securityv1.KubeArmorHostPolicy:
		return s.Host && (s.Every || selector.SelectsNode(p, s.Labels))
	case *securityv1.KubeArmorPolicy:
		pods, _ = selector.ForPolicy(p)
	case *securityv1.KubeArmorClusterPolicy:
		pods, _ = selector.ForClusterPolicy(p)
	}
	return !s.Host && (s.Every || pods.SelectsPod(pod) && pods.SelectsContainer(s.Container))
}

// postures: the namespace's annotation, then the KubeArmorConfig's, then audit. A word that is none of the three counts
// as none.
func postures(s Subject, settings Settings) map[policy.Domain]policy.Posture {
	annotations := map[policy.Domain]string{
		policy.DomainFile:         operatorv1.AnnotationFilePosture,
		policy.DomainNetwork:      operatorv1.AnnotationNetworkPosture,
		policy.DomainCapabilities: operatorv1.AnnotationCapabilitiesPosture,
	}
	out := map[policy.Domain]policy.Posture{}
	for domain, annotation := range annotations {
		out[domain] = policy.PostureAudit
		for _, word := range []policy.Posture{
			policy.Posture(strings.TrimSpace(s.NamespaceAnnotations[annotation])), settings.Postures[domain],
		} {
			if isPosture(word) {
				out[domain] = word
				break
			}
		}
	}
	return out
}
