// SPDX-License-Identifier: Apache-2.0

package render

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// relayName of the Deployment and of all that is only for it.
const relayName = v1.RelayServiceAccount

// relayUser is anybody but root.
const relayUser = 65532

// relays that run: each reads all agents, so that one may end at any time.
const relays = 2

// Relay settings: what is only the relay's.
type Relay struct {
	Image        string
	PullPolicy   corev1.PullPolicy
	PullSecrets  []corev1.LocalObjectReference
	Env          []corev1.EnvVar
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	// Insecure lets in clients that know no TLS.
	Insecure bool
}

// relayOf leaves out spec.kubearmorRelayImage.args: those of existing objects are flags of another relay, which end ours at
// its start.
func relayOf(spec v1.KubeArmorConfigSpec, d Defaults) Relay {
	c := spec.KubeArmorRelayImage
	r := Relay{
		Image:        d.RelayImage,
		PullPolicy:   c.ImagePullPolicy,
		PullSecrets:  secrets(spec.GlobalImagePullSecrets, c.ImagePullSecrets),
		Env:          environment(spec.GlobalEnv, c.Env),
		NodeSelector: map[string]string{corev1.LabelOSStable: string(corev1.Linux)},
		Tolerations:  slices.Concat(spec.GlobalTolerations, c.Tolerations),
		Insecure:     !ptr.Deref(spec.TLS.Enable, true),
	}
	if c.Image != "" {
		r.Image = c.Image
	}
	maps.Copy(r.NodeSelector, spec.GlobalNodeSelector)
	maps.Copy(r.NodeSelector, c.NodeSelector)
	return r
}

// RelayNamespaceRules are all that a relay may do: find the agents' Pods in its own namespace.
func RelayNamespaceRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}}}
}

func relayObjects(s Settings) []Object {
	selector := map[string]string{v1.LabelApp: v1.AppRelay}
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: s.Namespace, Labels: ownedLabels(selector)}
	}
	rbac := rbacv1.SchemeGroupVersion.String()
	return []Object{
		&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(relayName)},
		&rbacv1.Role{TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "Role"}, ObjectMeta: meta(relayName), Rules: RelayNamespaceRules()},
		&rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbac, Kind: "RoleBinding"},
			ObjectMeta: meta(relayName),
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: relayName, Namespace: s.Namespace}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: relayName},
		},
		&corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: meta(v1.RelayService),
			Spec: corev1.ServiceSpec{
				Selector: selector,
				Ports: []corev1.ServicePort{{
					Name: "telemetry", Port: telemetryPort, TargetPort: intstr.FromString("telemetry"), Protocol: corev1.ProtocolTCP,
				}},
			},
		},
		&policyv1.PodDisruptionBudget{
			TypeMeta:   metav1.TypeMeta{APIVersion: policyv1.SchemeGroupVersion.String(), Kind: "PodDisruptionBudget"},
			ObjectMeta: meta(relayName),
			Spec: policyv1.PodDisruptionBudgetSpec{
				MaxUnavailable: ptr.To(intstr.FromInt32(1)),
				Selector:       &metav1.LabelSelector{MatchLabels: selector},
			},
		},
		&appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: meta(relayName),
			Spec: appsv1.DeploymentSpec{
				Replicas:             ptr.To[int32](relays),
				RevisionHistoryLimit: ptr.To[int32](3),
				Selector:             &metav1.LabelSelector{MatchLabels: selector},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: ownedLabels(selector)},
					Spec:       relayPod(s.Relay, selector),
				},
			},
		},
	}
}

// relayPod keeps to the Pod Security level "restricted", whatever the namespace admits.
func relayPod(r Relay, selector map[string]string) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName:            relayName,
		AutomountServiceAccountToken:  ptr.To(true),
		EnableServiceLinks:            ptr.To(false),
		PriorityClassName:             "system-cluster-critical",
		TerminationGracePeriodSeconds: ptr.To[int64](15),
		NodeSelector:                  r.NodeSelector,
		Tolerations:                   r.Tolerations,
		ImagePullSecrets:              r.PullSecrets,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr.To(true),
			RunAsUser:      ptr.To[int64](relayUser),
			RunAsGroup:     ptr.To[int64](relayUser),
			FSGroup:        ptr.To[int64](relayUser),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		// Preferred: a cluster of one node has two relays as well.
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
				Weight: 100,
				PodAffinityTerm: corev1.PodAffinityTerm{
					TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: selector},
				},
			}},
		}},
		Containers: []corev1.Container{relayContainer(r)},
		Volumes:    []corev1.Volume{certsVolume(v1.SecretRelay, false, 0o440)},
	}
}

func relayContainer(r Relay) corev1.Container {
	args := []string{"--tls-dir=" + certsPath}
	if r.Insecure {
		args = append(args, "--insecure")
	}
	return corev1.Container{
		Name:            "relay",
		Image:           r.Image,
		ImagePullPolicy: r.PullPolicy,
		Args:            args,
		Env:             environment(r.Env, relayEnv()),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts:             []corev1.VolumeMount{certsMount()},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		Ports: []corev1.ContainerPort{
			{Name: "health", ContainerPort: healthPort, Protocol: corev1.ProtocolTCP},
			{Name: "telemetry", ContainerPort: telemetryPort, Protocol: corev1.ProtocolTCP},
			{Name: "metrics", ContainerPort: metricsPort, Protocol: corev1.ProtocolTCP},
		},
		// It serves once it has read from the API server which agents there are, and from then on until it ends.
		StartupProbe:   relayCheck(5, 60),
		LivenessProbe:  relayCheck(15, 4),
		ReadinessProbe: relayCheck(10, 3),
		// docs/relay.md says what its memory depends on: the limit is for 5,000 agents.
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("25m"),
				corev1.ResourceMemory: resource.MustParse("64Mi"),
			},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1536Mi")},
		},
	}
}

func relayCheck(period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: healthPort, Service: ptr.To("")}},
		PeriodSeconds:    period,
		TimeoutSeconds:   5,
		FailureThreshold: failures,
	}
}

// relayEnv is what a relay is told about itself.
func relayEnv() []corev1.EnvVar {
	return []corev1.EnvVar{fromField("POD_NAME", "metadata.name"), fromField("POD_NAMESPACE", "metadata.namespace")}
}
