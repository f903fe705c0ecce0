// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
)

// ProbeDeadlineSeconds bounds a probe Pod's life on its node: a slow link pulls the image and an emulated machine verifies
// the core within it.
const ProbeDeadlineSeconds = 300

// ProbeContainer is the name of a probe Pod's only container.
const ProbeContainer = "probe"

// AnnotationProbeInputs of a probe Pod holds the hash of what it was started for.
const AnnotationProbeInputs = "operator.kubearmor.com/probe-inputs"

// ProbeName of a node's probe Pod. The node's own name may be too long for a Pod of ours.
func ProbeName(node string) string {
	sum := sha256.Sum256([]byte(node))
	return v1.AppProbe + "-" + hex.EncodeToString(sum[:])[:16]
}

// ProbeInputs is the hash of everything whose change asks for another look at the node.
func ProbeInputs(info corev1.NodeSystemInfo, image string) string {
	h := sha256.New()
	for _, part := range []string{info.BootID, info.KernelVersion, info.ContainerRuntimeVersion, image} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// ProbePod looks at one node and ends. It has no service-account token: its facts go out in the termination message. It
// is bound to the node directly, since a scheduler would respect what the node repels.
func ProbePod(s Settings, node *corev1.Node) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        ProbeName(node.Name),
			Namespace:   s.Namespace,
			Labels:      map[string]string{v1.LabelApp: v1.AppProbe, v1.LabelManagedBy: v1.ManagedBy},
			Annotations: map[string]string{AnnotationProbeInputs: ProbeInputs(node.Status.NodeInfo, s.Image)},
		},
		Spec: corev1.PodSpec{
			NodeName:                      node.Name,
			RestartPolicy:                 corev1.RestartPolicyNever,
			ActiveDeadlineSeconds:         ptr.To[int64](ProbeDeadlineSeconds),
			TerminationGracePeriodSeconds: ptr.To[int64](5),
			AutomountServiceAccountToken:  ptr.To(false),
			EnableServiceLinks:            ptr.To(false),
			HostPID:                       true,
			PriorityClassName:             "system-node-critical",
			Tolerations:                   s.Tolerations,
			ImagePullSecrets:              s.PullSecrets,
			Containers:                    []corev1.Container{probeContainer(s, pool.ProfileOfImage(node.Status.NodeInfo.OSImage))},
			Volumes:                       hostVolumes(),
		},
	}
}

func probeContainer(s Settings, profile pool.Profile) corev1.Container {
	// The canary needs no names; MAC_ADMIN loads its profile of AppArmor.
	capabilities := append(capabilitiesOfCore(true), "MAC_ADMIN")
	capabilities = slices.DeleteFunc(capabilities, func(c corev1.Capability) bool { return c == "NET_ADMIN" })
	slices.Sort(capabilities)
	return corev1.Container{
		Name:                     ProbeContainer,
		Image:                    s.Image,
		ImagePullPolicy:          s.PullPolicy,
		Args:                     []string{"probe"},
		Env:                      environment(s.Env, ownEnv()),
		SecurityContext:          confinement(profile, capabilities),
		VolumeMounts:             hostMounts(true),
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("10m"),
				corev1.ResourceMemory: resource.MustParse("32Mi"),
			},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
	}
}
