// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubearmor/kubearmor-operator/bpf/exec"
	"github.com/kubearmor/kubearmor-operator/bpf/file"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// Both objects share their maps, so what is in them must have one shape.
func TestSizesOfWhatCrossesToTheKernel(t *testing.T) {
	sizes := map[string][2]uintptr{
		"event":      {unsafe.Sizeof(file.FileEvent{}), unsafe.Sizeof(exec.ExecEvent{})},
		"binding":    {unsafe.Sizeof(file.FileBinding{}), unsafe.Sizeof(exec.ExecBinding{})},
		"rule_entry": {unsafe.Sizeof(file.FileRuleEntry{}), unsafe.Sizeof(exec.ExecRuleEntry{})},
		"scratch":    {unsafe.Sizeof(file.FileScratch{}), unsafe.Sizeof(exec.ExecScratch{})},
	}
	want := map[string][2]uintptr{
		"event": {128, 128}, "binding": {144, 144}, "rule_entry": {table.EntrySize, table.EntrySize}, "scratch": {7616, 7616},
	}
	if diff := cmp.Diff(want, sizes); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
	if n := binary.Size(wireEvent{}); n != 128 {
		t.Errorf("an event on the wire has %d bytes, want 128", n)
	}
}

func record(t *testing.T, w wireEvent, paths string) []byte {
	t.Helper()
	raw, err := binary.Append(nil, binary.LittleEndian, w)
	if err != nil {
		t.Fatal(err)
	}
	return append(raw, paths...)
}

func TestDecode(t *testing.T) {
	boot := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	whole := wireEvent{
		Time: 5, Rule: 1, Profile: 2, Generation: 3, Cgroup: 4, HostPid: 10, HostPpid: 11, Pid: 12, Ppid: 13, Uid: 14,
		Flags: 15, Mode: 16, ResourceBytes: 4, SourceBytes: 3, ParentBytes: 2, Domain: 2, Operation: 2, Action: 3, Denied: 1,
	}
	copy(whole.Comm[:], "sh")
	want := Event{
		Time: boot.Add(5), Domain: compile.DomainFile, Operation: OperationOpen, Action: compile.ActionBlock, Denied: true,
		Rule: 1, Profile: 2, Cgroup: 4, Generation: 3, HostPID: 10, HostPPID: 11, PID: 12, PPID: 13, UID: 14, Comm: "sh",
		Source: "/sh", ParentSource: "/p", Resource: "/res", Flags: 15, Mode: 16,
	}
	tests := map[string]struct {
		change func(*wireEvent)
		paths  string
		want   func(*Event)
	}{
		"an event with its paths":                      {func(*wireEvent) {}, "/res/sh/p", func(*Event) {}},
		"bytes behind the paths, which rings pad with": {func(*wireEvent) {}, "/res/sh/p\x00\x00\x00", func(*Event) {}},
		"bytes before the first path": {
			func(w *wireEvent) { w.Skip, w.SourceBytes, w.ParentBytes = 5, 0, 0 }, "garba/res",
			func(e *Event) { e.Source, e.ParentSource = "", "" },
		},
		"an execution": {
			func(w *wireEvent) { w.Operation, w.Domain = 1, 1 }, "/res/sh/p",
			func(e *Event) { e.Operation, e.Domain = OperationExec, compile.DomainProcess },
		},
		"unlinked files": {
			func(w *wireEvent) { w.Kind, w.SourceKind, w.ParentKind = 1, 1, 1 }, "/res/sh/p",
			func(e *Event) {
				e.Resource, e.Source, e.ParentSource = "/res (deleted)", "/sh (deleted)", "/p (deleted)"
			},
		},
		"a memfd's name, which is no path": {
			func(w *wireEvent) { w.Kind = 3 }, "/res/sh/p", func(e *Event) { e.Resource = "/res (deleted)" },
		},
		"executables in detached mounts": {
			func(w *wireEvent) { w.SourceStatus, w.ParentStatus = 3, 4 }, "/res/sh/p",
			func(e *Event) { e.SourceUnresolved, e.ParentUnresolved = "path_detached_mount", "path_unreachable" },
		},
		"a socket": {
			func(w *wireEvent) { w.ResourceBytes, w.Domain, w.Operation, w.Flags, w.Mode = 0, 3, 17, 2|1<<16, 6 }, "/sh/p",
			func(e *Event) {
				e.Domain, e.Operation, e.Flags, e.Mode = compile.DomainNetwork, OperationConnect, 2|1<<16, 6
				e.Resource = "family=AF_INET type=SOCK_STREAM protocol=6"
			},
		},
		"a socket of an unknown kind": {
			func(w *wireEvent) { w.ResourceBytes, w.Domain, w.Operation, w.Flags, w.Mode = 0, 3, 14, 200|9<<16, 0 }, "/sh/p",
			func(e *Event) {
				e.Domain, e.Operation, e.Flags, e.Mode = compile.DomainNetwork, OperationSocket, 200|9<<16, 0
				e.Resource = "family=200 type=9 protocol=0"
			},
		},
		"a capability": {
			func(w *wireEvent) { w.ResourceBytes, w.Domain, w.Operation, w.Mode = 0, 4, 20, 13 }, "/sh/p",
			func(e *Event) {
				e.Domain, e.Operation, e.Mode, e.Resource = compile.DomainCapabilities, OperationCapable, 13, "CAP_NET_RAW"
			},
		},
		"the root": {func(w *wireEvent) { w.ResourceBytes = 0 }, "/sh/p", func(e *Event) { e.Resource = "/" }},
		"a pipe": {
			func(w *wireEvent) { w.ResourceBytes, w.Kind, w.Magic, w.Inode = 0, 2, pipeMagic, 99 }, "/sh/p",
			func(e *Event) { e.Resource = "pipe:[99]" },
		},
		"a path that is not known": {func(w *wireEvent) { w.Status = 1 }, "/res/sh/p", func(e *Event) { e.Unresolved = "path_too_long" }},
		"nothing of it": {
			func(w *wireEvent) { w.Status, w.ResourceBytes = 6, 0 }, "/sh/p",
			func(e *Event) { e.Unresolved, e.Resource = "scratch_busy", "" },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, want := whole, want
			test.change(&w)
			test.want(&want)
			got, err := decode(record(t, w, test.paths), boot)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefusesWhatIsNotAnEvent(t *testing.T) {
	long := wireEvent{Operation: 1, ResourceBytes: 1 << 31, SourceBytes: 1 << 31, ParentBytes: 1 << 31}
	for name, raw := range map[string][]byte{
		"nothing":                   nil,
		"a short header":            record(t, wireEvent{Operation: 1}, "")[:127],
		"paths longer than it":      record(t, wireEvent{Operation: 1, ResourceBytes: 5}, "/res"),
		"lengths that overflow":     record(t, long, "/res"),
		"paths that begin after it": record(t, wireEvent{Operation: 1, ResourceBytes: 1, Skip: 100}, "/res"),
	} {
		if _, err := decode(raw, time.Time{}); !errors.Is(err, errShortEvent) {
			t.Errorf("%s: %v, want %v", name, err, errShortEvent)
		}
	}
	if _, err := decode(record(t, wireEvent{Operation: 200}, ""), time.Time{}); err == nil {
		t.Error("an unknown operation was decoded")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("short"))
	raw, err := binary.Append(nil, binary.LittleEndian, wireEvent{Operation: 2, ResourceBytes: 4})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(raw, "/res"...))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		// It must end without a panic, whatever comes.
		_, _ = decode(raw, time.Time{})
	})
}
