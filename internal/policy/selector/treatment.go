// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"slices"
	"strings"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Treatment of a Pod (or of a node's own processes), whatever policies select it.
type Treatment int

// The treatments.
const (
	// Untracked: no policy concerns it.
	Untracked Treatment = iota
	// Audited: what policies block is audited.
	Audited
	// Enabled: policies hold as they are written.
	Enabled
)

// Values of the annotation kubearmor-policy.
const (
	annotationEnabled  = "enabled"
	annotationDisabled = "disabled"
	annotationAudited  = "audited"
)

// Treat says how a Pod is treated: by its annotation, and where it has none, Pods of system namespaces are untracked.
// An annotation that is none of the known values counts as none, so that a typing error never takes protection away.
func Treat(pod Pod, systemNamespaces []string) Treatment {
	switch strings.TrimSpace(pod.Annotations[operatorv1.AnnotationPolicy]) {
	case annotationDisabled:
		return Untracked
	case annotationAudited:
		return Audited
	case annotationEnabled:
		return Enabled
	}
	if slices.Contains(systemNamespaces, pod.Namespace) {
		return Untracked
	}
	return Enabled
}

// SystemNamespaces are untracked unless a Pod's annotation asks for it: kube-system, and the namespace of the product.
func SystemNamespaces(own string) []string { return []string{"kube-system", own} }
