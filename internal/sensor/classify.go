// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

const kernelBTF = "/sys/kernel/btf/vmlinux"

// loadError gives a failure before attachment its reason.
func loadError(err error) error {
	e := &LoadError{Reason: ReasonCoreLoadFailed, Cause: "the core could not be loaded", Err: err}
	var verifier *ebpf.VerifierError
	switch {
	case errors.Is(err, errNotBPFFS):
		e.Reason, e.Cause = ReasonNoBPFFS, "programs and maps cannot outlive the agent: mount bpffs at /sys/fs/bpf and into the Pod"
	case missing(kernelBTF):
		e.Reason, e.Cause = ReasonNoBTF, kernelBTF+" is missing: the kernel is built without CONFIG_DEBUG_INFO_BTF"
	case errors.As(err, &verifier) && len(verifier.Log) > 0:
		e.Reason, e.Cause = ReasonVerifierRejected, lastLine(verifier.Log)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		e.Reason, e.Cause = ReasonPermissionDenied, "the kernel refused to load programs for want of privilege: capabilities, seccomp, lockdown, or a kernel that allows none"
	case errors.Is(err, btf.ErrNotFound):
		e.Reason, e.Cause = ReasonLSMInactive, "the kernel has no such hook: it is built without CONFIG_BPF_LSM"
	case errors.Is(err, ebpf.ErrNotSupported):
		e.Reason, e.Cause = ReasonKernelTooOld, "the kernel lacks something that the core needs (5.10 and later have it)"
	}
	return e
}

// attachError gives a failure to attach loaded programs its reason.
func attachError(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &LoadError{Reason: ReasonPermissionDenied, Cause: "the kernel refused to attach programs for want of privilege", Err: err}
	}
	return &LoadError{Reason: ReasonAttachRefused, Cause: "the programs are loaded, and the kernel refused to attach them", Err: err}
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// lastLine is where the verifier says what it did not like; what follows it is statistics.
func lastLine(log []string) string {
	for i := len(log) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(log[i]); line != "" && !strings.HasPrefix(line, "processed ") {
			return line
		}
	}
	return "the verifier gave no reason"
}
