// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

const (
	process = compile.DomainProcess
	files   = compile.DomainFile

	exact     = compile.MatchPath
	directory = compile.MatchDirectory
	recursive = compile.MatchRecursive

	denied = syscall.EACCES
)

// TestVerdicts does every operation of the table in a confined and in a free workload.
func TestVerdicts(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	for _, program := range stats(t, r.core).Programs {
		t.Logf("%s: %d verified instructions", program.Hook, program.VerifiedInstructions)
	}
	w, free := r.workload("confined"), r.workload("free")
	at := func(name string) string { return filepath.Join(r.dir, name) }
	for _, name := range []string{"exact", "exactly", "dir/a", "dir/sub/a", "tree/a", "tree/sub/a", "tree/sub/ok", "tree/allowed/a", "watched/a", "bin/a", "bin/sub/a", "interpreter", "none"} {
		touch(t, at(name))
	}
	script(t, at("blocked-script"), at("none"))
	script(t, at("script"), at("interpreter"))
	rules := map[string]compile.Rule{
		"exact":       block(files, exact, at("exact")),
		"dir":         block(files, directory, at("dir")+"/"),
		"tree":        block(files, recursive, at("tree")+"/"),
		"ok":          rule(compile.ActionAllow, files, exact, at("tree/sub/ok")),
		"allowed":     rule(compile.ActionAllow, files, recursive, at("tree/allowed")+"/"),
		"watched":     rule(compile.ActionAudit, files, recursive, at("watched")+"/"),
		"bin":         block(process, directory, at("bin")+"/"),
		"script":      block(process, exact, at("blocked-script")),
		"interpreter": block(process, exact, at("interpreter")),
		"audited":     rule(compile.ActionAudit, process, exact, at("exact")),
	}
	var list []compile.Rule
	for _, rule := range rules {
		list = append(list, rule)
	}
	r.confine(map[*workload][]compile.Rule{w: list})
	r.take()

	tests := map[string]struct {
		operation, path string
		errno           syscall.Errno
		// rule that must have sent an event about resource; none if empty.
		rule, resource string
	}{
		"an exact path is denied":                       {"open", "exact", denied, "exact", "exact"},
		"an exact path is denied for writing":           {"write", "exact", denied, "exact", "exact"},
		"a path that only begins alike is free":         {"open", "exactly", 0, "", ""},
		"a directory's entry is denied":                 {"open", "dir/a", denied, "dir", "dir/a"},
		"a new entry is denied":                         {"write", "dir/new", denied, "dir", "dir/new"},
		"below a directory's entries is free":           {"open", "dir/sub/a", 0, "", ""},
		"a directory itself is free":                    {"open", "dir", 0, "", ""},
		"a tree's entry is denied":                      {"open", "tree/a", denied, "tree", "tree/a"},
		"anything in a tree is denied":                  {"open", "tree/sub/a", denied, "tree", "tree/sub/a"},
		"an exact path beats the tree around it":        {"open", "tree/sub/ok", 0, "", ""},
		"a deeper tree beats the tree around it":        {"open", "tree/allowed/a", 0, "", ""},
		"what is audited passes and is reported":        {"open", "watched/a", 0, "watched", "watched/a"},
		"execution is denied":                           {"exec", "bin/a", denied, "bin", "bin/a"},
		"execution below is free":                       {"exec", "bin/sub/a", 0, "", ""},
		"reading what may not be executed is free":      {"open", "bin/a", 0, "", ""},
		"a blocked script is denied":                    {"exec", "blocked-script", denied, "script", "blocked-script"},
		"a script is denied for its interpreter's sake": {"exec", "script", denied, "interpreter", "interpreter"},
		"what no rule matches is free":                  {"exec", "none", 0, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r.t, w.t, free.t = t, t, t
			if got := free.do(test.operation, at(test.path)); got != 0 && test.path != "dir" {
				t.Errorf("in the free workload: %v", got)
			}
			if test.path == "dir/new" {
				os.Remove(at(test.path))
			}
			if events := r.take(); len(events) != 0 {
				t.Errorf("events of the free workload: %+v", events)
			}
			if got := w.do(test.operation, at(test.path)); got != test.errno {
				t.Errorf("got %v, want %v", got, test.errno)
			}
			var want []string
			if test.rule != "" {
				want = append(want, describe(rules[test.rule], at(test.resource), test.errno != 0))
			}
			var got []string
			for _, e := range r.take() {
				got = append(got, describe(compile.Rule{ID: e.Rule, Domain: e.Domain, Action: e.Action}, e.Resource, e.Denied))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func describe(r compile.Rule, resource string, denied bool) string {
	return fmt.Sprintf("rule %x domain %d action %d of %s denied %v", uint64(r.ID), r.Domain, r.Action, resource, denied)
}

func script(t *testing.T, path, interpreter string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!"+interpreter+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestNoWayOutOfTheWorkload: identity is the cgroup and what is below it, whatever namespaces a process makes.
func TestNoWayOutOfTheWorkload(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "jail/secret"))
	r.confine(map[*workload][]compile.Rule{w: {block(files, exact, secret)}})
	tests := map[string][]string{
		"a nested cgroup":           {"nested", w.path, secret},
		"a mount namespace":         {"unshare-mount", secret},
		"a pid namespace":           {"unshare-pid", secret},
		"a chroot":                  {"chroot", filepath.Dir(secret), "/secret"},
		"another name by a symlink": {"open", symlink(t, secret)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w.t, r.t = t, t
			r.take()
			if got := w.do(test[0], test[1:]...); got != denied {
				t.Errorf("got %v, want %v", got, denied)
			}
			events := r.take()
			if len(events) != 1 || events[0].Resource != secret || !events[0].Denied || events[0].Cgroup != w.cgroup.ID {
				t.Errorf("events: %+v", events)
			}
		})
	}
}

func symlink(t *testing.T, to string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(to), "link")
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnEventSaysWhoDidWhat(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	rules := []compile.Rule{block(files, exact, secret)}
	r.confine(map[*workload][]compile.Rule{w: rules})
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	_, pid := w.doAs("open", secret)
	events := r.take()
	if len(events) != 1 {
		t.Fatalf("%d events, want 1: %+v", len(events), events)
	}
	e := events[0]
	if e.Time.IsZero() || e.Time.Sub(bootTime()) <= 0 {
		t.Errorf("time %s", e.Time)
	}
	want := Event{
		Time: e.Time, Domain: files, Operation: OperationOpen, Action: compile.ActionBlock, Denied: true,
		Rule: rules[0].ID, Profile: profileOf(rules).ID, Cgroup: w.cgroup.ID, Generation: r.gen,
		HostPID: pid, HostPPID: uint32(os.Getpid()), PID: pid, PPID: uint32(os.Getpid()),
		Comm: e.Comm, Source: self, ParentSource: self, Resource: secret, Flags: e.Flags, Mode: e.Mode,
	}
	if diff := cmp.Diff(want, e, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	const fmodeRead = 1
	if e.Comm == "" || e.Flags&syscall.O_ACCMODE != syscall.O_RDONLY || e.Mode&fmodeRead == 0 {
		t.Errorf("comm %q, flags %#x, mode %#x", e.Comm, e.Flags, e.Mode)
	}

	if got := w.do("unshare-pid", secret); got != denied {
		t.Errorf("from inside a pid namespace: %v, want %v", got, denied)
	}
	events = r.take()
	if len(events) != 1 || events[0].PID != 1 || events[0].PPID != 0 || events[0].HostPID < 2 || events[0].HostPPID == 0 {
		t.Errorf("from inside a pid namespace: %+v", events)
	}
}

func TestObserveModeDeniesNothingAndReportsTheSame(t *testing.T) {
	r := newRig(t, Options{Mode: ModeObserve})
	w := r.workload("observed")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	rules := []compile.Rule{block(files, exact, secret), block(process, exact, secret)}
	r.confine(map[*workload][]compile.Rule{w: rules})
	for i, operation := range []string{"open", "exec"} {
		r.take()
		if got := w.do(operation, secret); got != 0 {
			t.Errorf("%s: %v, want success", operation, got)
		}
		seen := 0
		for _, e := range r.take() {
			if e.Rule == rules[i].ID && e.Action == compile.ActionBlock && !e.Denied && e.Resource == secret {
				seen++
			}
		}
		if seen != 1 {
			t.Errorf("%s: %d events of its rule, want 1", operation, seen)
		}
	}
}
