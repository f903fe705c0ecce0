// SPDX-License-Identifier: Apache-2.0

package agent

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// postureSource is where the posture of one domain is set.
type postureSource struct {
	domain policy.Domain
	// annotation of the namespace; setting and hostSetting are keys of the ConfigMap.
	annotation, setting, hostSetting string
}

func postureSources() []postureSource {
	return []postureSource{
		{policy.DomainFile, operatorv1.AnnotationFilePosture, "defaultFilePosture", "hostDefaultFilePosture"},
		{policy.DomainNetwork, operatorv1.AnnotationNetworkPosture, "defaultNetworkPosture", "hostDefaultNetworkPosture"},
		{policy.DomainCapabilities, operatorv1.AnnotationCapabilitiesPosture, "defaultCapabilitiesPosture", "hostDefaultCapabilitiesPosture"},
	}
}

// podPostures of a namespace's Pods: its annotation, then the KubeArmorConfig's setting, then audit.
func podPostures(in inputs, namespace string) map[policy.Domain]policy.Posture {
	postures := map[policy.Domain]policy.Posture{}
	for _, s := range postureSources() {
		postures[s.domain] = firstPosture(annotation(in.namespaces[namespace], s.annotation), in.settings[s.setting])
	}
	return postures
}

// hostPostures of the node itself: the KubeArmorConfig's setting, then audit.
func hostPostures(in inputs) map[policy.Domain]policy.Posture {
	postures := map[policy.Domain]policy.Posture{}
	for _, s := range postureSources() {
		postures[s.domain] = firstPosture(in.settings[s.hostSetting])
	}
	return postures
}

// firstPosture among words. One that is none counts as not set, so that a typing error never weakens a setting.
func firstPosture(words ...string) policy.Posture {
	for _, word := range words {
		switch posture := policy.Posture(word); posture {
		case policy.PostureAllow, policy.PostureAudit, policy.PostureBlock:
			return posture
		}
	}
	return policy.PostureAudit
}

func annotation(object *metav1.PartialObjectMetadata, key string) string {
	if object == nil {
		return ""
	}
	return object.Annotations[key]
}
