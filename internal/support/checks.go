// SPDX-License-Identifier: Apache-2.0

package support

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// maxCause bounds a node's own words inside a message, so that the remedy after them always fits.
const maxCause = 240

// The oldest kernel whose hooks the core can use.
const (
	floorMajor = 5
	floorMinor = 10
)

// kernelIsRecent only explains a canary that failed: vendors backport BPF-LSM, and a denial that was seen outranks a number.
func kernelIsRecent(f v1.NodeFacts) (reason, message string) {
	major, minor, ok := kernelVersion(f.Kernel)
	if f.BPFLSM.State == v1.FactYes || !ok || major > floorMajor || major == floorMajor && minor >= floorMinor {
		return "", ""
	}
	return v1.ReasonKernelTooOld, fmt.Sprintf("kernel %s is older than %d.%d, which the core needs for BPF-LSM; upgrade the node's kernel",
		f.Kernel, floorMajor, floorMinor)
}

func kernelHasBTF(f v1.NodeFacts) (reason, message string) {
	if f.BPFLSM.State == v1.FactYes || f.BTF.State != v1.FactNo {
		return "", ""
	}
	return v1.ReasonNoBTF, fmt.Sprintf("kernel %s has no /sys/kernel/btf/vmlinux; run a kernel built with CONFIG_DEBUG_INFO_BTF=y", f.Kernel)
}

// lsmIsActive reads an empty list as unknown: a kernel that shows its list names at least "capability".
func lsmIsActive(f v1.NodeFacts) (reason, message string) {
	if f.BPFLSM.State == v1.FactYes || len(f.LSMs) == 0 || slices.Contains(f.LSMs, "bpf") {
		return "", ""
	}
	list := strings.Join(f.LSMs, ",")
	return v1.ReasonLSMInactive, fmt.Sprintf("bpf is not among the active LSMs (%s); boot with lsm=%s",
		list, bootable(f.LSMs))
}

// cgroupIsUnified holds even where the canary was denied: workloads are known by their cgroup v2.
func cgroupIsUnified(f v1.NodeFacts) (reason, message string) {
	if f.CgroupVersion != 1 {
		return "", ""
	}
	return v1.ReasonCgroupV1, "the node uses cgroup v1, and containers are identified by cgroup v2; boot with systemd.unified_cgroup_hierarchy=1"
}

// bpffsIsMounted holds even where the canary was denied: without pins, enforcement would end with the agent.
func bpffsIsMounted(f v1.NodeFacts) (reason, message string) {
	if f.BPFFS.State != v1.FactNo {
		return "", ""
	}
	return v1.ReasonNoBPFFS, "no bpffs at /sys/fs/bpf, so enforcement could not outlive the agent; mount it on the host: mount -t bpf bpf /sys/fs/bpf"
}

func denialWasSeen(f v1.NodeFacts) (reason, message string) {
	if f.BPFLSM.State == v1.FactYes {
		return "", ""
	}
	reason = f.BPFLSM.Reason
	if reason == "" {
		reason = v1.ReasonCanaryFailed
	}
	does := "BPF-LSM does not work"
	if f.BPFLSM.State == v1.FactUnknown {
		does = "it is not known whether BPF-LSM works"
	}
	return reason, fmt.Sprintf("%s with kernel %s on %s%s; %s", does, f.Kernel, f.Arch, said(f.BPFLSM.Cause), remedy(f))
}

// remedy says what a person can do about the canary's outcome.
func remedy(f v1.NodeFacts) string {
	switch f.BPFLSM.Reason {
	case v1.ReasonAttachRefused:
		if f.Arch == "arm64" {
			return "arm64 needs kernel 6.4 or later for BPF-LSM: upgrade the node's kernel"
		}
		return "run a kernel built with CONFIG_BPF_LSM=y and CONFIG_FUNCTION_TRACER=y"
	case v1.ReasonPermissionDenied:
		return "run the probe as root with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN, and check kernel lockdown and the seccomp profile"
	case v1.ReasonVerifierRejected:
		return "report this kernel with the verifier's words, or run another kernel"
	case v1.ReasonDenialNotSeen:
		return "check that lsm= on the kernel command line names bpf"
	case v1.ReasonTimedOut:
		return "the node is probed again; look at its load if this stays"
	}
	return "run `karmor probe --local` as root on the node to see more"
}

// alternatives names what the node has instead, so that nobody has to look it up.
func alternatives(f v1.NodeFacts) string {
	var b strings.Builder
	if f.AppArmor.State == v1.FactYes {
		b.WriteString("; AppArmor was seen denying on this node, but this version has no AppArmor backend yet")
	}
	if f.SELinux.State == v1.FactYes {
		b.WriteString("; SELinux is enforcing on this node, but this version has no SELinux backend yet")
	}
	if f.Observe.State == v1.FactNo {
		b.WriteString("; operations cannot be audited either" + said(f.Observe.Cause))
	}
	return b.String()
}

func runtimeNote(f v1.NodeFacts) string {
	if f.Runtime.State == v1.FactYes || f.Runtime.Socket != "" {
		return ""
	}
	return "; the container runtime was not found, so the agent has to find it before any policy is in force" + said(f.Runtime.Cause)
}

// bootable is the list without what the kernel always adds itself: capability first, ima and evm last.
func bootable(lsms []string) string {
	var out []string
	for _, l := range lsms {
		if !slices.Contains([]string{"capability", "ima", "evm"}, l) {
			out = append(out, l)
		}
	}
	return strings.Join(append(out, "bpf"), ",")
}

func said(cause string) string {
	if cause == "" {
		return ""
	}
	return ": " + clip(cause, maxCause)
}

// clip keeps at most n characters and shows that it cut.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// kernelVersion reads the first two numbers of a release such as 6.1.0-13-cloud-amd64.
func kernelVersion(release string) (major, minor int, ok bool) {
	head := strings.FieldsFunc(release, func(r rune) bool { return !unicode.IsDigit(r) })
	if len(head) < 2 || !unicode.IsDigit(rune(release[0])) {
		return 0, 0, false
	}
	if _, err := fmt.Sscanf(head[0]+" "+head[1], "%d %d", &major, &minor); err != nil {
		return 0, 0, false
	}
	return major, minor, true
}
