// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// TestCapacity is a list of what others cut off, forget or run out of: long paths and names, many rules, many containers,
// the ways to write. All of it is enforced, on real operations of workers in cgroups of their own.
func TestCapacity(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	for _, test := range []struct {
		name string
		run  func(t *testing.T, r *rig, w *workload)
	}{
		{"a path of 21 components", longPath(components(21))},
		{"a path of 60 components", longPath(components(60))},
		{"a path of 64 components, where the mask of depths ends", longPath(components(64))},
		{"a path of 65 components", longPath(components(65))},
		{"a path of 128 components", longPath(components(128))},
		{"a path of nearly 2,000 components", longPath(components(1980))},
		{"a path of 200 bytes", longPath(bytesOf(200, 60))},
		{"a path of 4,000 bytes", longPath(bytesOf(4000, 250))},
		{"a path of 3,900 bytes in components of 255", longPath(bytesOf(3900, 255))},
		{"a directory rule of 64 bytes", directoryRule(64)},
		{"a directory rule of 65 bytes", directoryRule(65)},
		{"a directory rule of 300 bytes", directoryRule(300)},
		{"300 rules in one policy", manyRules(300)},
		{"10,000 rules in one policy", manyRules(10_000)},
		{"257 containers", manyContainers(257)},
		{"readOnly against O_WRONLY", onlyRead("write")},
		{"readOnly against O_RDWR", onlyRead("read-write")},
		{"readOnly against O_APPEND", onlyRead("append")},
		{"readOnly against O_TRUNC, while reading", onlyRead("open-truncate")},
		{"readOnly against truncate", onlyRead("truncate")},
		{"readOnly against ftruncate", onlyRead("ftruncate")},
		{"readOnly against writing to a mapping", onlyRead("mmap-write")},
		{"readOnly against ftruncate of a descriptor from outside", onlyReadInherited},
		{"an allow-list and a path of 21 components with an allowed tail", allowedTail(components(21))},
		{"an allow-list and a path of 128 components with an allowed tail", allowedTail(components(128))},
		{"an allow-list and a path of 300 bytes with an allowed tail", allowedTail(bytesOf(300, 60))},
		{"an allow-list and a path of 4,000 bytes with an allowed tail", allowedTail(bytesOf(3900, 250))},
		{"an allow-list and a path that is longer than the kernel tells", endless},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.t, w.t = t, t
			r.dir = shortDir(t)
			test.run(t, r, w)
		})
	}
}

// shortDir leaves room for long names.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// components makes a path below a directory that has so many of them.
func components(n int) func(dir string) string {
	return func(dir string) string { return dir + strings.Repeat("/d", n-strings.Count(dir, "/")) }
}

// bytesOf makes a path below a directory that has so many bytes, in components of at most so many.
func bytesOf(n, each int) func(dir string) string {
	return func(dir string) string {
		// The last one is not to be empty.
		for left := n - len(dir); left > 0; left = n - len(dir) {
			size := min(each, left-1)
			if left-1-size == 1 {
				size--
			}
			dir += "/" + strings.Repeat("n", size)
		}
		return dir
	}
}

// enforce puts policies in force, through the compiler, and fails if any of their rules is not.
func (r *rig) enforce(workloads ...compile.Workload) {
	r.t.Helper()
	out := compile.Compile(workloads, compile.Everything())
	for _, result := range out.Policies {
		if result.State != compile.StateEnforced {
			r.t.Fatalf("%s: %s: %v", result.Ref, result.State, result.Unsupported)
		}
	}
	r.gen++
	out.Set.Generation = r.gen
	if err := r.core.Apply(r.t.Context(), out.Set); err != nil {
		r.t.Fatal(err)
	}
}

// selected is the workload with one policy of these rules, in the file domain where they name none.
func (w *workload) selected(name string, rules ...policy.Rule) compile.Workload {
	p := &policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "n", Name: name}}
	for i, r := range rules {
		r.At = fmt.Sprintf("rule[%d]", i)
		if r.Domain == 0 {
			r.Domain = policy.DomainFile
		}
		if r.Action == 0 {
			r.Action = policy.ActionBlock
		}
		p.Rules = append(p.Rules, r)
	}
	return compile.Workload{
		Cgroup: w.cgroup, Selections: []compile.Selection{{Policy: p}}, Postures: map[policy.Domain]policy.Posture{policy.DomainFile: policy.PostureBlock},
	}
}

// longPath is denied by its own name, by its directory's and by that of one far above, and the event has all of it.
func longPath(extend func(string) string) func(*testing.T, *rig, *workload) {
	return func(t *testing.T, r *rig, w *workload) {
		top := filepath.Join(r.dir, "top")
		secret := touch(t, extend(top))
		neighbour := touch(t, secret[:len(secret)-1]+"x")
		for _, rule := range []policy.Rule{
			{Path: secret}, {Directory: filepath.Dir(secret) + "/"}, {Directory: top + "/", Recursive: true}, {Pattern: top + "/**/" + filepath.Base(secret)},
		} {
			r.enforce(w.selected("long", rule))
			r.take()
			if got := w.do("open", secret); got != denied {
				t.Errorf("%d bytes: %v, want %v", len(secret), got, denied)
			}
			if events := r.take(); len(events) != 1 || events[0].Resource != secret || !events[0].Denied {
				t.Errorf("%d events, want one of the whole path", len(events))
			}
			alone := rule.Directory == ""
			if got := w.do("open", neighbour); (got == 0) != alone {
				t.Errorf("its neighbour, which differs in the last byte: %v", got)
			}
			if got := w.do("open", r.dir); got != 0 {
				t.Errorf("a folder above: %v", got)
			}
		}
	}
}

// directoryRule of so many bytes, with the slash at its end.
func directoryRule(n int) func(*testing.T, *rig, *workload) {
	return func(t *testing.T, r *rig, w *workload) {
		dir := bytesOf(n-1, 100)(filepath.Join(r.dir, "d"))
		in, below := touch(t, dir+"/secret"), touch(t, dir+"/sub/secret")
		beside := touch(t, dir[:len(dir)-1]+"x/secret")
		for _, recursive := range []bool{false, true} {
			rule := policy.Rule{Directory: dir + "/", Recursive: recursive}
			if len(rule.Directory) != n {
				t.Fatalf("the rule has %d bytes", len(rule.Directory))
			}
			r.enforce(w.selected("directory", rule))
			if got := w.do("open", in); got != denied {
				t.Errorf("in it: %v, want %v", got, denied)
			}
			if got := w.do("open", below); (got == denied) != recursive {
				t.Errorf("below it, recursive: %v: %v", recursive, got)
			}
			if got := w.do("open", beside); got != 0 {
				t.Errorf("in another one, which differs in the last byte: %v", got)
			}
		}
	}
}

// manyRules are so many in one policy, of which each denies one file.
func manyRules(n int) func(*testing.T, *rig, *workload) {
	return func(t *testing.T, r *rig, w *workload) {
		at := func(i int) string { return fmt.Sprintf("%s/in-%d/file-%d", r.dir, i%7, i) }
		list := make([]policy.Rule, n)
		for i := range list {
			switch i % 10 {
			case 8:
				list[i].Pattern = at(i) + "*"
			case 9:
				list[i].Directory = at(i) + "/"
			default:
				list[i].Path = at(i)
			}
		}
		r.enforce(w.selected("many", list...))
		for _, i := range []int{0, 1, 8, n / 2, n/2 + 8, n - 3, n - 2} {
			touch(t, at(i))
			r.take()
			if got := w.do("open", at(i)); got != denied {
				t.Errorf("what rule %d denies: %v, want %v", i, got, denied)
			}
			if events := r.take(); len(events) != 1 || events[0].Resource != at(i) {
				t.Errorf("rule %d: events %+v", i, events)
			}
		}
		for _, i := range []int{n - 1, 9} {
			if got := w.do("open", touch(t, at(i)+"/file")); got != denied {
				t.Errorf("what rule %d denies: %v, want %v", i, got, denied)
			}
		}
		if got := w.do("open", touch(t, at(n))); got != 0 {
			t.Errorf("what no rule denies: %v", got)
		}
	}
}

// manyContainers are so many cgroups, each with a policy of its own: one worker goes through them, and may not open in each
// what is denied there, and nothing else.
func manyContainers(n int) func(*testing.T, *rig, *workload) {
	return func(t *testing.T, r *rig, _ *workload) {
		var workloads []compile.Workload
		cgroups := map[compile.CgroupID]string{}
		var first *workload
		for i := range n {
			w := r.workload(fmt.Sprintf("container-%d", i))
			if i == 0 {
				first = w
			}
			secret := touch(t, fmt.Sprintf("%s/secret-%d", r.dir, i))
			cgroups[w.cgroup.ID] = secret
			workloads = append(workloads, w.selected(fmt.Sprintf("p%d", i), policy.Rule{Path: secret}))
		}
		r.enforce(workloads...)
		r.take()
		if got := first.do("tour", filepath.Dir(first.path), r.dir, fmt.Sprint(n)); got != 0 {
			t.Errorf("the tour ended with: %v", got)
		}
		for _, e := range r.take() {
			if cgroups[e.Cgroup] != e.Resource {
				t.Errorf("a denial of %s in the cgroup of %s", e.Resource, cgroups[e.Cgroup])
			}
			delete(cgroups, e.Cgroup)
		}
		if len(cgroups) != 0 {
			t.Errorf("no denial was reported of %d containers", len(cgroups))
		}
	}
}

// onlyRead leaves a file as it is, whatever way to write to it is tried.
func onlyRead(operation string) func(*testing.T, *rig, *workload) {
	return func(t *testing.T, r *rig, w *workload) {
		r.mustStay(w, func(file string) {
			if got := w.do(operation, file); got != denied {
				t.Errorf("%s: %v, want %v", operation, got, denied)
			}
		})
	}
}

// onlyReadInherited: what was opened for writing outside is not to be emptied inside.
func onlyReadInherited(t *testing.T, r *rig, w *workload) {
	r.mustStay(w, func(file string) {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd := w.command("ftruncate-inherited")
		cmd.ExtraFiles = []*os.File{f}
		if got, _ := w.answer(cmd); got != denied {
			t.Errorf("%v, want %v", got, denied)
		}
	})
}

func (r *rig) mustStay(w *workload, attempt func(file string)) {
	r.t.Helper()
	file := touch(r.t, filepath.Join(r.dir, "kept"))
	for name, rules := range map[string][]policy.Rule{
		"a Block rule":  {{Path: file, ReadOnly: true}},
		"an allow-list": {{Directory: "/", Recursive: true, Action: policy.ActionAllow}, {Path: file, ReadOnly: true, Action: policy.ActionAllow}},
	} {
		r.enforce(w.selected("readonly", rules...))
		attempt(file)
		if got := w.do("open", file); got != 0 {
			r.t.Errorf("%s, reading: %v", name, got)
		}
		if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, tinyProgram()) {
			r.t.Errorf("%s: the file was changed: %d bytes, %v", name, len(text), err)
		}
	}
}

// allowedTail is a path that ends like one which an allow-list allows, from the first slash on.
func allowedTail(extend func(string) string) func(*testing.T, *rig, *workload) {
	return func(t *testing.T, r *rig, w *workload) {
		self, err := os.Readlink("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		allowed := touch(t, filepath.Join(r.dir, "in/allowed"))
		fake := touch(t, extend(filepath.Join(r.dir, "long"))+allowed)
		for _, rule := range []policy.Rule{
			{Path: allowed}, {Directory: filepath.Dir(allowed) + "/"}, {Directory: filepath.Dir(allowed) + "/", Recursive: true}, {Pattern: filepath.Dir(allowed) + "/*"},
		} {
			rule.Action = policy.ActionAllow
			r.enforce(w.selected("allowed", rule, policy.Rule{Path: self, Action: policy.ActionAllow}))
			if got := w.do("open", allowed); got != 0 {
				t.Errorf("what is allowed: %v", got)
			}
			if got := w.do("open", fake); got != denied {
				t.Errorf("what only ends like it, of %d bytes: %v, want %v", len(fake), got, denied)
			}
		}
	}
}

// endless: of a path that is too long for the kernel to tell, nothing is allowed.
func endless(t *testing.T, r *rig, w *workload) {
	r.enforce(w.selected("everything", policy.Rule{Directory: "/", Recursive: true, Action: policy.ActionAllow}))
	r.take()
	if got := w.do("descend", r.dir, strings.Repeat("z", 200), "25"); got != denied {
		t.Errorf("%v, want %v", got, denied)
	}
	if events := r.take(); len(events) != 1 || events[0].Rule != RuleUnresolved || !events[0].Denied {
		t.Errorf("events: %+v", events)
	}
}
