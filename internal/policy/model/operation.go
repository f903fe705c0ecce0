// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Kind of an operation.
type Kind string

// The kinds. A system call that does two of these things is two operations: O_CREAT is a create and a write, and the
// file that is executed is also read. A script is executed, and then its interpreter is; an ELF interpreter (ld.so) is
// only read.
const (
	// Exec is of the process domain.
	Exec Kind = "exec"

	// Read to KindChmod are of the file domain. Everything but Read is a write. Create stands for mkdir, mknod and
	// symlink too, Delete for rmdir, Write for truncate and append, Chmod for chown and every other change of attributes.
	Read   Kind = "read"
	Write  Kind = "write"
	Create Kind = "create"
	Delete Kind = "delete"
	Rename Kind = "rename"
	Link   Kind = "link"
	Chmod  Kind = "chmod"

	// Socket to Sendmsg are of the network domain, and ask the same: may this task use such a socket?
	Socket  Kind = "socket"
	Bind    Kind = "bind"
	Listen  Kind = "listen"
	Connect Kind = "connect"
	Accept  Kind = "accept"
	Sendmsg Kind = "sendmsg"

	Capable Kind = "capable"
	DNS     Kind = "dns"
	Syscall Kind = "syscall"

	// MapExec makes memory executable: of the file at Path, or memory that no file is behind. Ptrace looks into another
	// process, or takes hold of it. Only presets have a word on these.
	MapExec Kind = "map"
	Ptrace  Kind = "ptrace"
)

// Kinds in the order of their domains.
func Kinds() []Kind {
	return []Kind{
		Exec, Read, Write, Create, Delete, Rename, Link, Chmod,
		Socket, Bind, Listen, Connect, Accept, Sendmsg, Capable, DNS, Syscall, MapExec, Ptrace,
	}
}

// Domain of the operations of a kind; 0 for an unknown one, and for those that only presets have a word on.
func (k Kind) Domain() policy.Domain {
	switch k {
	case Exec:
		return policy.DomainProcess
	case Read, Write, Create, Delete, Rename, Link, Chmod:
		return policy.DomainFile
	case Socket, Bind, Listen, Connect, Accept, Sendmsg:
		return policy.DomainNetwork
	case Capable:
		return policy.DomainCapabilities
	case DNS:
		return policy.DomainDNS
	case Syscall:
		return policy.DomainSyscalls
	default:
		return 0
	}
}

// Operation that a task of the workload attempts. What a kind has no use for is ignored.
type Operation struct {
	Kind Kind

	// Path of the object that is executed or accessed, or that a system call is given; as the kernel reports it, or,
	// where the workload has a Root, as the task names it.
	Path string
	// NewPath of Rename and Link.
	NewPath string
	// Unresolved: the kernel cannot tell the path. Path and NewPath are ignored.
	Unresolved bool
	// Object: it has no path at all: a pipe, a socket, memory (memfd).
	Object bool
	// Unlinked: the file has no name any more, or never had one. Presets look at it.
	Unlinked bool

	// Source is the executable of the task: of the one that calls exec (after a fork, the parent's), else the current
	// one. Empty when the kernel cannot tell: then it is none that a policy names.
	Source string
	// Args after argv[0], of Exec.
	Args []string
	// Terminal: the task's session has one.
	Terminal bool
	// UID that the kernel compares with the owner of the object (fsuid).
	UID uint32
	// Owner of the object.
	Owner uint32
	// Directory: the object is one. Only Rename asks.
	Directory bool
	// New: nothing is at Path yet, so nobody owns it.
	New bool
	// NewOwner owns what is at NewPath, if Replaces says that something is.
	NewOwner uint32
	Replaces bool

	// Family (AF_…), Type (SOCK_…) and Protocol (IPPROTO_…) of the socket, as numbers of the kernel.
	Family, Type, Protocol int
	// Capability in lower case, without CAP_.
	Capability string
	// Name that is looked up, of DNS.
	Name string
	// Syscall by name.
	Syscall string

	// PID of the task as its own /proc shows it. Presets compare it.
	PID int
	// Entered: the task was brought into the container from outside (kubectl exec).
	Entered bool
}

// Check says why the kernel never reports such an operation.
func (op Operation) Check() error {
	switch {
	case op.Kind.Domain() == 0 && op.Kind != MapExec && op.Kind != Ptrace:
		return fmt.Errorf("operation %q is unknown; use one of %v", op.Kind, Kinds())
	case op.Unresolved || op.Object:
		return nil
	}
	for _, path := range op.paths() {
		if err := checkPath(path); err != nil {
			return fmt.Errorf("path %q: %w", path, err)
		}
	}
	return nil
}

func (op Operation) paths() []string {
	switch op.Kind.Domain() {
	case policy.DomainProcess, policy.DomainFile:
		if op.Kind == Rename || op.Kind == Link {
			return []string{op.Path, op.NewPath}
		}
		return []string{op.Path}
	default:
		return nil
	}
}

func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf(`does not start with "/"; write the whole path`)
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return fmt.Errorf("has a %q component, which the kernel never reports; write the path without it", part)
		}
	}
	return nil
}

// question is what one domain is asked about one operation, about one path at most.
type question struct {
	Operation
	domain policy.Domain
	// path that is asked about: Path or NewPath, folded, and behind the workload's symlinks.
	path string
	// conditions that the operation meets.
	meets conditions
	// unknownArgs: what the arguments are will be known later.
	unknownArgs bool
}

// questions of an operation: two for those with two paths, none for what only presets have a word on.
func (op Operation) questions(root Resolver) []question {
	first := question{Operation: op, domain: op.Kind.Domain(), path: object(op.Kind, op.Path, root), meets: op.conditions(op.New, op.Owner)}
	if op.Kind != Rename && op.Kind != Link {
		return []question{first}
	}
	second := first
	second.path, second.meets = object(op.Kind, op.NewPath, root), op.conditions(!op.Replaces, op.NewOwner)
	return []question{first, second}
}
