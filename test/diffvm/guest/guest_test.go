// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

// words are what one sees of the hooks who watches everything.
func words(hooks []hook) string {
	var out []string
	for _, h := range hooks {
		for _, r := range h.seen() {
			out = append(out, strings.TrimSpace(r.operation+" "+r.resource))
		}
	}
	return strings.Join(out, ", ")
}

func TestEveryWayHasTheHooksThatTheKernelAsks(t *testing.T) {
	p := newPlanner(fixed{links: generate.Links{"/bin": "/usr/bin"}}, generate.Links{"/bin": "/usr/bin"})
	sh := model.Operation{Kind: model.Exec, Path: "/bin/sh", NewPath: "/a/i"}
	move := model.Operation{Kind: model.Rename, Path: "/a", NewPath: "/b"}
	on := func(kind model.Kind) model.Operation { return model.Operation{Kind: kind, Path: "/a"} }
	tcp := func(kind model.Kind) model.Operation { return model.Operation{Kind: kind, Family: 2, Type: 1} }
	for _, test := range []struct {
		op            model.Operation
		variant, want string
	}{
		{sh, "exec", "open /usr/bin/sh, exec /usr/bin/sh"},
		{sh, "script", "open /usr/bin/sh, exec /usr/bin/sh, open /a/i, exec /a/i"},
		{model.Operation{Kind: model.Exec, Object: true}, "memfd", ""},
		{on(model.Read), "read", "open /a"},
		{on(model.Read), "reference", ""},
		{on(model.Write), "write with O_TRUNC", "open /a, truncate /a"},
		{on(model.Write), "truncate", "truncate /a"},
		{on(model.Write), "ftruncate", "open /a, truncate /a"},
		{on(model.Create), "create", "create /a, open /a"},
		{on(model.Create), "mkdir", "mkdir /a"},
		{on(model.Create), "symlink", "symlink /a"},
		{on(model.Delete), "rmdir", "rmdir /a"},
		{model.Operation{Kind: model.Delete, Path: "/bin"}, "unlink", "unlink /bin"},
		{on(model.Chmod), "fchown", "open /a, chown /a"},
		{move, "rename", "rename /a, rename /b"},
		{move, "exchange", "rename /a, rename /b"},
		{tcp(model.Accept), "accept", "socket, bind, listen, accept"},
		{model.Operation{Kind: model.DNS, Name: "a"}, "connected", "socket, connect, sendmsg"},
		{model.Operation{Kind: model.Capable, Capability: "mknod"}, "with", "capable CAP_MKNOD"},
	} {
		a, err := p.plan(test.op, test.variant)
		if got := words(a.hooks); err != nil || got != test.want {
			t.Errorf("%s of %s: %s, %v; want %s", test.variant, test.op.Kind, got, err, test.want)
		}
	}
}

func TestWhatCannotBeTriedIsNamed(t *testing.T) {
	p := newPlanner(fixed{links: generate.Links{"/l/k": "/x"}, sources: []string{"/s/w"}}, nil)
	for path, op := range map[string]model.Operation{
		"above":  {Kind: model.Rename, Path: "/s", NewPath: "/b"},
		"worker": {Kind: model.Delete, Path: "/s/w"},
		"folder": {Kind: model.Read, Path: "/s/w/x"},
		"room":   {Kind: model.Read, Path: "/"},
		"stay":   {Kind: model.Read, Path: "/l/k"},
	} {
		if _, err := p.plan(op, variants(op)[0]); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%+v: %v, want something about %q", op, err, path)
		}
	}
}

func TestAMissingHookIsAGapThatCounts(t *testing.T) {
	p := newPlanner(fixed{}, nil)
	p.missing = []string{"lsm/path_chown"}
	a, err := p.plan(model.Operation{Kind: model.Chmod, Path: "/a"}, "chown")
	if err != nil || words(a.hooks) != "" || p.gaps["lsm/path_chown"] != 1 {
		t.Errorf("%v: seen %q, gaps %v", err, words(a.hooks), p.gaps)
	}
}

func TestWhatIsExpected(t *testing.T) {
	rule := func(r policy.Rule) model.Workload {
		r.At = "rule"
		return model.Workload{Policies: []model.Selected{{Policy: policy.Policy{Ref: policy.Ref{Kind: "K", Name: "p"}, Rules: []policy.Rule{r}}}}}
	}
	files := func(path string, action policy.Action) model.Workload {
		return rule(policy.Rule{Domain: policy.DomainFile, Path: path, Action: action})
	}
	program := policy.Rule{Domain: policy.DomainProcess, Path: "/a", Action: policy.ActionBlock, AllowedArgs: []string{"-v"}}
	move := model.Operation{Kind: model.Rename, Path: "/a", NewPath: "/b"}
	run := model.Operation{Kind: model.Exec, Path: "/a", Args: []string{"-x"}}
	deep := strings.Repeat("/n", 200)
	inDeep := program
	inDeep.Path = deep
	runDeep := model.Operation{Kind: model.Exec, Path: deep, NewPath: "/i", Args: []string{"-x"}}
	for name, test := range map[string]struct {
		w       model.Workload
		op      model.Operation
		variant string
		natural syscall.Errno
		// asked is how many hooks the kernel comes to; 0 is all of them.
		asked int
		want  string
	}{
		"what is not named goes":                    {files("/z", policy.ActionBlock), move, "rename", 0, 0, "success"},
		"the old name":                              {files("/a", policy.ActionBlock), move, "rename", 0, 0, `EACCES; Block: rename "/a" by K p rule`},
		"the new name":                              {files("/b", policy.ActionBlock), move, "rename", 0, 0, `EACCES; Block: rename "/b" by K p rule`},
		"a program that may not be executed":        {rule(program), move, "rename", 0, 0, `EACCES; Block: rename "/a" by K p rule`},
		"the other half of an exchange":             {rule(program), model.Operation{Kind: model.Rename, Path: "/b", NewPath: "/a"}, "exchange", 0, 0, `EACCES; Block: rename "/a" by K p rule`},
		"what is only audited, and fails by itself": {files("/b", policy.ActionAudit), move, "rename", unix.EPERM, 0, `EPERM; Audit: rename "/b" by K p rule`},
		"arguments come too late for an errno":      {rule(program), run, "exec", 0, 0, `SIGKILL; Block: exec "/a" by K p rule`},
		"a program's long path":                     {rule(inDeep), runDeep, "exec", 0, 0, `SIGKILL; Block: exec "` + deep + `" by K p rule`},
		"a script's long path":                      {rule(inDeep), runDeep, "script", 0, 0, `SIGKILL; Block: exec "` + deep[144:] + `" by K p rule`},
		"what the kernel does not come to":          {files("/a", policy.ActionAudit), model.Operation{Kind: model.Write, Path: "/a"}, "write with O_TRUNC", unix.EPERM, 1, `EPERM; Audit: open "/a" by K p rule`},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := newPlanner(fixed{}, nil).plan(test.op, test.variant)
			if err != nil {
				t.Fatal(err)
			}
			if test.asked == 0 {
				test.asked = len(a.hooks)
			}
			errno, reports, _ := expected(test.w, a.hooks, test.asked, test.natural)
			got := strings.Join(append([]string{errnoName(errno)}, sorted(reports)...), "; ")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHowFarTheKernelComesIsSeen(t *testing.T) {
	a, err := newPlanner(fixed{}, nil).plan(model.Operation{Kind: model.Create, Path: "/a"}, "create")
	if err != nil {
		t.Fatal(err)
	}
	create, open := report{operation: "create", resource: "/a"}, report{operation: "open", resource: "/a"}
	for want, seen := range [][]report{nil, {create}, {open, create}} {
		if got := asked(a.hooks, seen, unix.EPERM); got != want {
			t.Errorf("of %v: %d hooks, want %d", seen, got, want)
		}
	}
	if got := (outcome{natural: 0, hooks: 2, asked: 1}).problem(); !strings.Contains(got, "asked by 1 of 2 hooks") {
		t.Errorf("a hook that is not there is no problem: %q", got)
	}
}

func TestAttemptsThatEndAWorkerAreKnown(t *testing.T) {
	for act, want := range map[string]bool{"exec": false, "execveat": true, "memfd": true} {
		if got := (wire.Attempt{Act: act}).Replaces(); got != want {
			t.Errorf("%s: %v", act, got)
		}
	}
}
