// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"net/netip"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// The operations of events.
const (
	OperationExec     = "exec"
	OperationOpen     = "open"
	OperationCreate   = "create"
	OperationUnlink   = "unlink"
	OperationMkdir    = "mkdir"
	OperationRmdir    = "rmdir"
	OperationRename   = "rename"
	OperationLink     = "link"
	OperationSymlink  = "symlink"
	OperationChmod    = "chmod"
	OperationChown    = "chown"
	OperationTruncate = "truncate"
	OperationSetattr  = "setattr"
	OperationSocket   = "socket"
	OperationBind     = "bind"
	OperationListen   = "listen"
	OperationConnect  = "connect"
	OperationAccept   = "accept"
	OperationSendmsg  = "sendmsg"
	OperationCapable  = "capable"
	OperationLookup   = "lookup"
	OperationSyscall  = "syscall"
)

// RuleUnresolved is the rule of a verdict on an operation whose path could not be resolved: blocked where the profile
// has any Block rule in that domain, else audited where it has any Audit rule; in an allow-list it gets the posture where
// that is stronger.
const RuleUnresolved = table.RuleUnresolved

// RulePosture is the rule of a verdict on what no rule of an allow-list decided.
const RulePosture = table.RulePosture

// Event is one verdict of the kernel. Everything in it was set when the verdict was made.
type Event struct {
	Time      time.Time
	Domain    compile.Domain
	Operation string
	// Action of the rule: below Audit, the operation is reported because it is visible, and Rule says nothing. Denied says whether the operation was really refused: in observe mode it never is.
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
	// threads; and for a name that is looked up where the kernel sends the packet later, together with who did it.
	Source, ParentSource string
	// SourceUnresolved and ParentUnresolved are why those paths are not whole, or empty: only their ends are there then.
	SourceUnresolved, ParentUnresolved string
	// Resource is the whole path of the object, named as the kernel would: " (deleted)" follows what is unlinked, and a
	// pipe is "pipe:[INODE]". A socket is "family=AF_INET type=SOCK_STREAM protocol=6", a capability "CAP_NET_RAW", a
	// name that is looked up "domain=example.com protocol=UDP server=10.96.0.10:53", a system call its name.
	Resource string
	// Local and Remote are the ends of an IP socket as far as the operation has them: where it is bound, and where it is
	// connected to or sends to. That of who connects is not known yet when a connection is accepted. The zero AddrPort
	// stands for what is not there; Resource has them as well, "local=10.0.0.7:40312 remote=[2001:db8::1]:443".
	Local, Remote netip.AddrPort
	// Unresolved is why the path is not known, or empty. Resource then holds the part of it that is, from its end.
	Unresolved string
	// Flags are the file's open flags (O_RDONLY...), with the kernel's own FMODE_EXEC where execve opens. Of a socket:
	// its family, and its type from bit 16 on. Of a system call: 1 where it was made as 32-bit programs do, else 0.
	Flags uint32
	// Mode is the kernel's f_mode of the open file, a socket's protocol, or the number of a capability or system call.
	Mode uint32
}

// IsLog says whether nothing was decided against the operation: it is reported because its domain is visible.
func (e *Event) IsLog() bool { return e.Action < compile.ActionAudit }
