// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// labelTemplateHash is set by the Deployment controller; the ReplicaSet's name ends in it.
const labelTemplateHash = "pod-template-hash"

// OwnerOf names the workload of a Pod by what the Pod itself says. A ReplicaSet that is named after its Pods' template
// hash was made by the Deployment whose name comes before it; no further object is read.
func OwnerOf(pod metav1.Object) *Owner {
	controller := metav1.GetControllerOf(pod)
	if controller == nil {
		return &Owner{Ref: "Pod", Name: pod.GetName(), Namespace: pod.GetNamespace()}
	}
	owner := &Owner{Ref: controller.Kind, Name: controller.Name, Namespace: pod.GetNamespace()}
	hash := pod.GetLabels()[labelTemplateHash]
	if deployment, found := strings.CutSuffix(controller.Name, "-"+hash); found && hash != "" && controller.Kind == "ReplicaSet" {
		owner.Ref, owner.Name = "Deployment", deployment
	}
	return owner
}
