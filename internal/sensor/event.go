// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// The operations of events.
const (
	OperationExec = "exec"
	OperationOpen = "open"
)

// RuleUnresolved is the rule of a verdict on an operation whose path could not be resolved: blocked where the profile
// has any Block rule in that domain, else audited where it has any Audit rule.
const RuleUnresolved compile.RuleID = 1<<64 - 1

// Event is one verdict of the kernel. Everything in it was set when the verdict was made.
type Event struct {
	Time      time.Time
	Domain    compile.Domain
	Operation string
	// Action of the rule. Denied says whether the operation was really refused: in observe mode it never is.
	Action     compile.Action
	Denied     bool
	Rule       compile.RuleID
	Profile    compile.ProfileID
	Cgroup     compile.CgroupID
	Generation uint64
	// HostPID and HostPPID are of the initial pid namespace, PID and PPID of the task's own.
	HostPID, HostPPID, PID, PPID uint32
	UID                          uint32
	Comm                         string
	// Source is the path of the current executable, ParentSource the one of the parent's. Both are empty for kernel
	// threads.
	Source, ParentSource string
	// Resource is the whole path of what was executed or opened, named as the kernel would: " (deleted)" follows what is
	// unlinked, and a pipe is "pipe:[INODE]".
	Resource string
	// Unresolved is why the path is not known, or empty. Resource then holds the part of it that is, from its end.
	Unresolved string
	// Flags are the file's open flags (O_RDONLY...), with the kernel's own FMODE_EXEC where execve opens.
	Flags uint32
	// Mode is the kernel's f_mode of the open file.
	Mode uint32
}
