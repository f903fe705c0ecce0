// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/kubearmor/kubearmor-operator/bpf/file"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/syscalls"
)

// wireEvent is struct event of bpf/include/core/events.h.
type wireEvent = file.FileEvent

// enum path_kind
const (
	kindFile    = 0
	kindDeleted = 1
	kindObject  = 2
	kindMemory  = 3
)

// The file systems of objects that have no path.
const (
	pipeMagic      = 0x50495045
	namespaceMagic = 0x6e736673
)

var errShortEvent = errors.New("event is shorter than it says")

// decode reads one record of a ring. boot is when the machine started, suspend included.
func decode(record []byte, boot time.Time) (Event, error) {
	var w wireEvent
	n, err := binary.Decode(record, binary.LittleEndian, &w)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %d bytes", errShortEvent, len(record))
	}
	paths := record[n:]
	paths = paths[min(int(w.Skip), len(paths)):]
	// In 64 bits, because a record that is not ours may say anything.
	if said := uint64(w.ResourceBytes) + uint64(w.SourceBytes) + uint64(w.ParentBytes); said > uint64(len(paths)) {
		return Event{}, fmt.Errorf("%w: %d bytes of paths, not %d", errShortEvent, len(paths), said)
	}
	operation, err := operationName(w.Operation)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		Time:       boot.Add(time.Duration(w.Time)),
		Domain:     compile.Domain(w.Domain),
		Operation:  operation,
		Action:     compile.Action(w.Action),
		Denied:     w.Denied != 0,
		Rule:       compile.RuleID(w.Rule),
		Profile:    compile.ProfileID(w.Profile),
		Cgroup:     compile.CgroupID(w.Cgroup),
		Generation: w.Generation,
		HostPID:    w.HostPid,
		HostPPID:   w.HostPpid,
		PID:        w.Pid,
		PPID:       w.Ppid,
		UID:        w.Uid,
		Comm:       string(bytes.TrimRight(w.Comm[:], "\x00")),
		Flags:      w.Flags,
		Mode:       w.Mode,
	}
	e.decodePaths(w, paths)
	return e, nil
}

func (e *Event) decodePaths(w wireEvent, paths []byte) {
	resource, rest := paths[:w.ResourceBytes], paths[w.ResourceBytes:]
	source, rest := rest[:w.SourceBytes], rest[w.SourceBytes:]
	parent := rest[:w.ParentBytes]
	e.Source = pathName(source, w.SourceKind)
	e.ParentSource = pathName(parent, w.ParentKind)
	e.SourceUnresolved = causes()[uint32(w.SourceStatus)]
	e.ParentUnresolved = causes()[uint32(w.ParentStatus)]
	switch {
	case e.Domain == compile.DomainNetwork:
		e.Local, e.Remote = endsOf(resource)
		e.Resource = socketName(w) + endsName(e.Local, e.Remote)
	case e.Domain == compile.DomainCapabilities:
		e.Resource = capabilityName(w.Mode)
	case e.Domain == compile.DomainSyscalls:
		e.Resource = syscalls.Of(runtime.GOARCH).Name(int(w.Flags), w.Mode)
	case e.Domain == compile.DomainDNS:
		e.Unresolved = causes()[uint32(w.Status)]
		e.Resource = lookupName(resource)
	case w.Status != 0:
		e.Unresolved = causes()[uint32(w.Status)]
		e.Resource = pathName(resource, w.Kind)
	case w.Kind == kindObject && w.Magic == 0:
		e.Resource = anonymousMemory
	case w.Kind == kindObject:
		e.Resource = objectName(w)
	case len(resource) == 0:
		e.Resource = "/"
	default:
		e.Resource = pathName(resource, w.Kind)
	}
}

func pathName(path []byte, kind uint8) string {
	if kind == kindDeleted || kind == kindMemory {
		return string(path) + " (deleted)"
	}
	return string(path)
}

func objectName(w wireEvent) string {
	switch w.Magic {
	case pipeMagic:
		return fmt.Sprintf("pipe:[%d]", w.Inode)
	case namespaceMagic:
		return fmt.Sprintf("ns:[%d]", w.Inode)
	}
	return fmt.Sprintf("object:%#x:[%d]", w.Magic, w.Inode)
}

// operationSyscall is OPERATION_SYSCALL of bpf/include/core/verdict.h.
const operationSyscall = 32

func operationName(operation uint8) (string, error) {
	names := [...]string{
		"", OperationExec, OperationOpen, OperationCreate, OperationUnlink, OperationMkdir, OperationRmdir, OperationRename,
		OperationLink, OperationSymlink, OperationChmod, OperationChown, OperationTruncate, OperationSetattr, OperationSocket,
		OperationBind, OperationListen, OperationConnect, OperationAccept, OperationSendmsg, OperationCapable, OperationLookup,
		OperationMmap, OperationMprotect, OperationPtrace,
	}
	if operation == operationSyscall {
		return OperationSyscall, nil
	}
	if operation == 0 || int(operation) >= len(names) {
		return "", fmt.Errorf("event of unknown operation %d", operation)
	}
	return names[operation], nil
}
