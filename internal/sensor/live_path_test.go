// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// TestUnresolvedPathsAreBlocked where anything is blocked, and pass where nothing is.
func TestUnresolvedPathsAreBlocked(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "mounted/secret"))
	mount(t, "none", filepath.Dir(secret), "tmpfs", "")
	touch(t, secret)
	tests := map[string]struct {
		operation []string
		cause     string
	}{
		"deeper than a path may be long": {[]string{"descend", r.dir, strings.Repeat("z", 200), "25"}, "path_too_long"},
		"in a mount that is nowhere":     {[]string{"detached", secret}, "path_detached_mount"},
	}
	blocking := []compile.Rule{block(files, exact, "/nothing/of/this/name")}
	auditing := []compile.Rule{rule(compile.ActionAudit, files, exact, "/nothing/of/this/name")}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w.t, r.t = t, t
			before := drops(t, r.core)[test.cause]
			r.confine(map[*workload][]compile.Rule{w: auditing})
			if got := w.do(test.operation[0], test.operation[1:]...); got != 0 {
				t.Errorf("under a profile that blocks nothing: %v", got)
			}
			listing := append([]compile.Rule{rule(compile.ActionAllow, files, exact, "/nor/of/this")}, blocking...)
			r.confinePosture(map[*workload][]compile.Rule{w: listing}, map[compile.Domain]compile.Action{files: compile.ActionAudit})
			if got := w.do(test.operation[0], test.operation[1:]...); got != denied {
				t.Errorf("in an allow-list that audits and blocks something: %v, want %v", got, denied)
			}
			r.confine(map[*workload][]compile.Rule{w: blocking})
			r.take()
			if got := w.do(test.operation[0], test.operation[1:]...); got != denied {
				t.Errorf("under a profile that blocks: %v, want %v", got, denied)
			}
			events := r.take()
			if len(events) != 1 || events[0].Rule != RuleUnresolved || events[0].Unresolved != test.cause || !events[0].Denied {
				t.Errorf("events: %+v", events)
			}
			if after := drops(t, r.core)[test.cause]; after-before < 2 {
				t.Errorf("counter %s went from %d to %d, want at least 2 more", test.cause, before, after)
			}
		})
	}
}

func drops(t *testing.T, core *Core) map[string]uint64 {
	t.Helper()
	s, err := core.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s.Drops
}

func mount(t *testing.T, source, target, kind, data string) {
	t.Helper()
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount(source, target, kind, 0, data)
	if err == unix.ENODEV {
		skip(t, "needs file system "+kind)
	}
	if err != nil {
		t.Fatalf("mount %s: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestFilesWithoutANameAreNamedAsTheKernelDoes(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	gone := filepath.Join(r.dir, "gone")
	all := []compile.Rule{
		rule(compile.ActionAllow, process, recursive, "/"),
		rule(compile.ActionAudit, files, exact, gone),
	}
	r.confinePosture(map[*workload][]compile.Rule{w: all}, map[compile.Domain]compile.Action{process: compile.ActionAudit})

	if got := w.do("execat", "dropper"); got != 0 {
		t.Errorf("execute a memfd: %v", got)
	}
	const memfd = "/memfd:dropper (deleted)"
	if !has(r.take(), OperationExec, memfd) {
		t.Errorf("no exec event of %q", memfd)
	}
	touch(t, gone)
	r.take()
	if got := w.do("unlinked", gone); got != 0 {
		t.Errorf("open an unlinked file: %v", got)
	}
	events := r.take()
	if !has(events, OperationOpen, gone) || !has(events, OperationOpen, gone+" (deleted)") {
		t.Errorf("no events of the file before and after it was unlinked: %+v", events)
	}

	r.confinePosture(map[*workload][]compile.Rule{w: all}, map[compile.Domain]compile.Action{process: compile.ActionBlock})
	if got := w.do("execat", "dropper"); got != denied {
		t.Errorf("execute a memfd where what no rule allows is blocked: %v, want %v", got, denied)
	}
	r.confine(map[*workload][]compile.Rule{w: {block(process, exact, "/memfd:dropper"), block(files, exact, gone)}})
	if got := w.do("execat", "dropper"); got != 0 {
		t.Errorf("execute a memfd, whose name is no path: %v", got)
	}
	if got := w.do("pipe"); got != 0 {
		t.Errorf("a pipe has no path, and no rule can mean it: %v", got)
	}
}

func has(events []Event, operation, resource string) bool {
	for _, e := range events {
		if e.Operation == operation && e.Resource == resource {
			return true
		}
	}
	return false
}

// TestAnOverlayFileIsJudgedOnce: overlayfs opens a second file below, which is its own business.
func TestAnOverlayFileIsJudgedOnce(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	at := func(name string) string { return filepath.Join(r.dir, "layers", name) }
	mount(t, "layers", filepath.Join(r.dir, "layers"), "tmpfs", "")
	for _, name := range []string{"lower/readme", "lower/program", "lower/secret", "upper/x", "work/x"} {
		touch(t, at(name))
	}
	os.Remove(at("work/x"))
	merged := filepath.Join(r.dir, "merged")
	mount(t, "overlay", merged, "overlay", "lowerdir="+at("lower")+",upperdir="+at("upper")+",workdir="+at("work"))
	inMerged := func(name string) string { return filepath.Join(merged, name) }
	r.confine(map[*workload][]compile.Rule{w: {
		rule(compile.ActionAudit, files, recursive, "/"),
		rule(compile.ActionAudit, process, recursive, merged+"/"),
		block(files, exact, inMerged("secret")),
	}})
	for _, test := range []struct {
		operation, name string
		errno           syscall.Errno
		opens, execs    int
	}{
		{"open", "readme", 0, 1, 0},
		// Copied up: the kernel reads the lower file and writes the upper one for itself.
		{"write", "readme", 0, 1, 0},
		{"exec", "program", 0, 1, 1},
		{"open", "secret", denied, 1, 0},
	} {
		r.take()
		if got := w.do(test.operation, inMerged(test.name)); got != test.errno {
			t.Errorf("%s %s: %v, want %v", test.operation, test.name, got, test.errno)
		}
		opens, execs := 0, 0
		for _, e := range r.take() {
			if filepath.Base(e.Resource) != test.name && e.Unresolved == "" {
				continue
			}
			if e.Resource != inMerged(test.name) {
				t.Errorf("%s %s: event of another file: %+v", test.operation, test.name, e)
			}
			if e.Operation == OperationOpen {
				opens++
			} else {
				execs++
			}
		}
		if opens != test.opens || execs != test.execs {
			t.Errorf("%s %s: %d events of open and %d of exec, want %d and %d", test.operation, test.name, opens, execs, test.opens, test.execs)
		}
	}
}
