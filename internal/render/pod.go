// SPDX-License-Identifier: Apache-2.0

package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kubearmor/kubearmor-operator/internal/pool"
)

// hostRoot is where the host's folders are mounted, in the probe and in the agent.
const hostRoot = "/host"

// capabilitiesOfCore are what the kernel asks of a process that loads the core and follows workloads: BPF and PERFMON
// load and attach it, NET_ADMIN attaches what looks into DNS queries, SYS_RESOURCE pays for its maps before 5.11, SYS_PTRACE looks through /proc of other processes. To
// observe takes kprobes, and where kernel.perf_event_paranoid is 3 or more (Debian's and Ubuntu's default) the kernel
// grants those to SYS_ADMIN alone.
func capabilitiesOfCore(observes bool) []corev1.Capability {
	if observes {
		return []corev1.Capability{"BPF", "NET_ADMIN", "PERFMON", "SYS_ADMIN", "SYS_PTRACE", "SYS_RESOURCE"}
	}
	return []corev1.Capability{"BPF", "NET_ADMIN", "PERFMON", "SYS_PTRACE", "SYS_RESOURCE"}
}

// confinement of a container of ours: root without privilege. The container runtime's own seccomp and AppArmor
// profiles refuse bpf() and the host's /proc, so neither applies.
func confinement(profile pool.Profile, capabilities []corev1.Capability) *corev1.SecurityContext {
	return &corev1.SecurityContext{
		Privileged:               ptr.To(false),
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		RunAsUser:                ptr.To[int64](0),
		RunAsGroup:               ptr.To[int64](0),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: capabilities},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined},
		AppArmorProfile:          &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined},
		SELinuxOptions:           seLinuxOptions(profile),
	}
}

func seLinuxOptions(profile pool.Profile) *corev1.SELinuxOptions {
	switch profile {
	case pool.ProfileSELinux:
		return &corev1.SELinuxOptions{Type: "spc_t"}
	case pool.ProfileBottlerocket:
		return &corev1.SELinuxOptions{User: "system_u", Role: "system_r", Type: "super_t", Level: "s0"}
	default:
		return nil
	}
}

// hostVolumes are only what every Linux node has, and a place to write to.
func hostVolumes() []corev1.Volume {
	folder := func(name, path string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: path, Type: ptr.To(corev1.HostPathDirectory)},
		}}
	}
	return []corev1.Volume{
		folder("host-sys", "/sys"),
		folder("host-run", "/run"),
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
}

// hostMounts leave /sys writable for the agent alone: it pins the core's programs and maps under /sys/fs/bpf.
func hostMounts(sysReadOnly bool) []corev1.VolumeMount {
	return []corev1.VolumeMount{
		{Name: "host-sys", MountPath: hostRoot + "/sys", ReadOnly: sysReadOnly},
		{Name: "host-run", MountPath: hostRoot + "/run", ReadOnly: true},
		{Name: "tmp", MountPath: "/tmp"},
	}
}

// ownEnv is what every container of ours is told about itself; the user's variables cannot change it.
func ownEnv() []corev1.EnvVar {
	return []corev1.EnvVar{
		{Name: "HOST_ROOT", Value: hostRoot},
		fromField("NODE_NAME", "spec.nodeName"),
		fromField("POD_NAME", "metadata.name"),
		fromField("POD_NAMESPACE", "metadata.namespace"),
		fromField("POD_UID", "metadata.uid"),
	}
}

func fromField(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}
