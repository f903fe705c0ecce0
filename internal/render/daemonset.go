// SPDX-License-Identifier: Apache-2.0

package render

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
)

// Ports of the agent, and of the relay, on the Pod's own network.
const (
	healthPort    = 32766
	telemetryPort = 32767
	metricsPort   = 32768
)

// AgentContainer is the name of an agent Pod's only container.
const AgentContainer = "agent"

// DaemonSetName of a pool.
func DaemonSetName(poolName string) string {
	return "kubearmor-" + poolName
}

// DaemonSet runs the agent on every node of one pool.
func DaemonSet(s Settings, p pool.Pool) *appsv1.DaemonSet {
	name := p.Name()
	selector := map[string]string{v1.LabelApp: v1.AppAgent, v1.LabelPool: name}
	podLabels := maps.Clone(selector)
	podLabels[v1.LabelManagedBy] = v1.ManagedBy
	return &appsv1.DaemonSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      DaemonSetName(name),
			Namespace: s.Namespace,
			Labels:    ownedLabels(map[string]string{v1.LabelApp: v1.AppAgent, v1.LabelPool: name}),
		},
		Spec: appsv1.DaemonSetSpec{
			Selector:             &metav1.LabelSelector{MatchLabels: selector},
			RevisionHistoryLimit: ptr.To[int32](3),
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type:          appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: ptr.To(intstr.FromString("10%"))},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      podLabels,
					Annotations: map[string]string{"kubectl.kubernetes.io/default-container": AgentContainer},
				},
				Spec: agentPod(s, p),
			},
		},
	}
}

func agentPod(s Settings, p pool.Pool) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName:            v1.AgentServiceAccount,
		AutomountServiceAccountToken:  ptr.To(true),
		EnableServiceLinks:            ptr.To(false),
		HostPID:                       true,
		PriorityClassName:             "system-node-critical",
		TerminationGracePeriodSeconds: ptr.To[int64](30),
		// The settings' own selectors decide which nodes get the label. Here they would end the agent of a node that they do
		// not admit any more before it could leave the kernel.
		NodeSelector:     map[string]string{v1.LabelPool: p.Name()},
		Tolerations:      s.Tolerations,
		ImagePullSecrets: s.PullSecrets,
		Containers:       []corev1.Container{agentContainer(s, p)},
		Volumes:          append(hostVolumes(), certsVolume(v1.SecretAgent, true, 0o400)),
	}
}

func agentContainer(s Settings, p pool.Pool) corev1.Container {
	return corev1.Container{
		Name:                     AgentContainer,
		Image:                    p.Image,
		ImagePullPolicy:          s.PullPolicy,
		Args:                     agentArgs(p),
		Env:                      environment(s.Env, ownEnv()),
		SecurityContext:          confinement(p.Profile, capabilitiesOfCore(p.Enforcer == v1.EnforcerNone)),
		VolumeMounts:             append(hostMounts(false), certsMount()),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		Ports: []corev1.ContainerPort{
			{Name: "health", ContainerPort: healthPort, Protocol: corev1.ProtocolTCP},
			{Name: "telemetry", ContainerPort: telemetryPort, Protocol: corev1.ProtocolTCP},
			{Name: "metrics", ContainerPort: metricsPort, Protocol: corev1.ProtocolTCP},
		},
		// An emulated or loaded node needs minutes to have the core verified and loaded; until then the agent is not restarted.
		StartupProbe:   healthCheck("/healthz", 5, 60),
		LivenessProbe:  healthCheck("/healthz", 15, 4),
		ReadinessProbe: healthCheck("/readyz", 10, 3),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("25m"),
				corev1.ResourceMemory: resource.MustParse("64Mi"),
			},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
		},
	}
}

// agentArgs are ours alone: kubearmorImage.args of existing objects are flags of another agent, which end ours at its start.
func agentArgs(p pool.Pool) []string {
	args := []string{"run", "--enforcer=" + string(p.Enforcer)}
	if p.RuntimeSocket != "" {
		args = append(args, "--runtime-endpoint="+p.RuntimeSocket)
	}
	return append(args, "--telemetry-tls-dir="+certsPath,
		"--health-addr=:"+strconv.Itoa(healthPort), "--metrics-addr=:"+strconv.Itoa(metricsPort))
}

func healthCheck(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("health")}},
		PeriodSeconds:    period,
		TimeoutSeconds:   5,
		FailureThreshold: failures,
	}
}

func ownedLabels(more map[string]string) map[string]string {
	out := map[string]string{v1.LabelManagedBy: v1.ManagedBy}
	maps.Copy(out, more)
	return out
}
