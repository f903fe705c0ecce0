// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// settingVisibility is the key of the ConfigMap that holds the KubeArmorConfig's default.
const settingVisibility = "visibility"

// podVisibility are the domains whose operations are logged for a Pod: those of its annotation, then of its namespace's,
// then of the KubeArmorConfig. Whether policies hold for it does not matter, but that default is not for Pods that nobody
// asked to be tracked.
func podVisibility(in inputs, pod selector.Pod, treatment selector.Treatment) compile.Domains {
	s := model.Subject{Annotations: pod.Annotations}
	if namespace := in.namespaces[pod.Namespace]; namespace != nil {
		s.NamespaceAnnotations = namespace.Annotations
	}
	standard := in.settings[settingVisibility]
	if treatment == selector.Untracked {
		standard = ""
	}
	return compile.DomainsOf(model.Visibility(s, standard))
}

// hostVisibility is that of the node itself: by its own annotation alone. The KubeArmorConfig's default is for Pods; with
// it every node would log each file that its kubelet and its runtime open.
func hostVisibility(in inputs) compile.Domains {
	return compile.DomainsOf(model.Visibility(model.Subject{Host: true, Annotations: in.node.Annotations}, ""))
}
