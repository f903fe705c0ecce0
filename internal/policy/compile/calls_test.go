// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestRulesOnSystemCalls(t *testing.T) {
	call := func(sources ...policy.Source) policy.Rule {
		return policy.Rule{At: "spec.x[0]", Domain: DomainSyscalls, Action: ActionAudit, Syscalls: []string{"ptrace", "bpf", "bpf"}, Sources: sources}
	}
	named := func(names ...string) policy.Rule {
		r := call()
		r.Syscalls = names
		return r
	}
	onPath := call()
	onPath.Path = "/etc/x"
	tests := map[string]struct {
		rule      policy.Rule
		abilities Abilities
		rules     []string
		left      Reason
	}{
		"one of each name":                    {call(), Everything(), []string{"syscalls Audit syscall bpf", "syscalls Audit syscall ptrace"}, ""},
		"of one executable":                   {call(policy.Source{Path: "/s"}), Everything(), []string{"syscalls Audit syscall bpf from /s", "syscalls Audit syscall ptrace from /s"}, ""},
		"of those in a directory":             {call(policy.Source{Directory: "/d/"}), Everything(), []string{"syscalls Audit syscall bpf from /d/", "syscalls Audit syscall ptrace from /d/"}, ""},
		"of those anywhere in it":             {call(policy.Source{Directory: "/d/", Recursive: true}), Everything(), []string{"syscalls Audit syscall bpf from /d/**", "syscalls Audit syscall ptrace from /d/**"}, ""},
		"a call of another machine":           {named("arm_fadvise64_64"), Everything(), []string{"syscalls Audit syscall arm_fadvise64_64"}, ""},
		"a call that there is not":            {named("bpf", "bfp"), Everything(), nil, ReasonSyscallUnknown},
		"one on a path":                       {onPath, Everything(), nil, ReasonSyscallPath},
		"where the kernel shows none of them": {call(), Everything().Without(DomainSyscalls), nil, ReasonSyscalls},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := &policy.Policy{Ref: Ref{Kind: policy.KindPolicy, Namespace: "n", Name: "p"}, Rules: []policy.Rule{test.rule}}
			out := Compile([]Workload{{Cgroup: Cgroup{ID: 7, Level: 1}, Selections: []Selection{{Policy: p}}}}, test.abilities)
			rules := lines(out)
			var left Reason
			for _, u := range out.Policies[0].Unsupported {
				left = u.Reason
			}
			if diff := cmp.Diff(test.rules, rules); diff != "" || left != test.left {
				t.Errorf("left out for %q, want %q; rules (-want +got):\n%s", left, test.left, diff)
			}
		})
	}
}
