// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// line is a rule of a profile without its id, as text: "process block path /bin/sh".
func line(r Rule) string {
	domain := map[Domain]string{DomainProcess: "process", DomainFile: "file"}[r.Domain]
	action := map[Action]string{ActionAllow: "allow", ActionAudit: "audit", ActionBlock: "block"}[r.Action]
	match := map[Match]string{MatchPath: "path", MatchDirectory: "dir", MatchRecursive: "tree"}[r.Match]
	return fmt.Sprintf("%s %s %s %s", domain, action, match, r.Path)
}

func lines(out Output) []string {
	var text []string
	for _, p := range out.Set.Profiles {
		for _, r := range p.Rules {
			text = append(text, line(r))
		}
	}
	return text
}

// left is what of the policies is not in force, as text: "spec.file.matchPaths[0] OwnerOnlyUnsupported".
func left(out Output) []string {
	var text []string
	for _, p := range out.Policies {
		for _, u := range p.Unsupported {
			text = append(text, u.Rule+" "+string(u.Reason))
		}
	}
	return text
}

func ksp(name string, spec securityv1.KubeArmorPolicySpec) *Policy {
	return FromPolicy(&securityv1.KubeArmorPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: 1}, Spec: spec,
	})
}

func processes(r securityv1.Report, p securityv1.Process) securityv1.KubeArmorPolicySpec {
	return securityv1.KubeArmorPolicySpec{Report: r, Rules: securityv1.Rules{Process: p}}
}

func files(r securityv1.Report, f securityv1.File) securityv1.KubeArmorPolicySpec {
	return securityv1.KubeArmorPolicySpec{Report: r, Rules: securityv1.Rules{File: f}}
}

func action(a securityv1.Action) securityv1.Report { return securityv1.Report{Action: a} }

func on(policies ...*Policy) []Workload {
	w := Workload{Cgroup: Cgroup{ID: 7, Level: 3, Path: "/a/b/c"}}
	for _, p := range policies {
		w.Selections = append(w.Selections, Selection{Policy: p})
	}
	return []Workload{w}
}

func TestCompile(t *testing.T) {
	longestName := "/" + strings.Repeat("n", nameMax)
	no, yes := false, true
	source := []securityv1.MatchSource{{Path: "/bin/sh"}}
	block, audit, allow := securityv1.ActionBlock, securityv1.ActionAudit, securityv1.ActionAllow
	none := securityv1.Report{}
	tests := map[string]struct {
		workloads []Workload
		rules     []string
		left      []string
		state     State
	}{
		"a path without any action is blocked": {
			workloads: on(ksp("p", processes(none, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/bin/sh"}}}))),
			rules:     []string{"process block path /bin/sh"}, state: StateEnforced,
		},
		"the nearest action wins: rule, then section, then spec": {
			workloads: on(ksp("p", files(action(allow), securityv1.File{
				Report:     action(block),
				MatchPaths: []securityv1.FilePath{{Path: "/a"}, {Path: "/b", Report: action(audit)}},
			}))),
			rules: []string{"file block path /a", "file audit path /b"}, state: StateEnforced,
		},
		"directories are plain or recursive, and repeated slashes mean one": {
			workloads: on(ksp("p", files(none, securityv1.File{MatchDirectories: []securityv1.FileDirectory{
				{Directory: "/etc//ssl/"}, {Directory: "/var/", Recursive: true}, {Directory: "/", Recursive: true},
			}}))),
			rules: []string{"file block tree /", "file block dir /etc/ssl/", "file block tree /var/"}, state: StateEnforced,
		},
		"dot components, relative paths and over-long ones are named, the other rules hold": {
			workloads: on(ksp("p", files(none, securityv1.File{MatchPaths: []securityv1.FilePath{
				{Path: "/a/../b"},
				{Path: "/./a"},
				{Path: "a"},
				{Path: "/ok"},
				{Path: "/dir/"},
				{Path: securityv1.AbsolutePath(strings.Repeat("/x", 2048))},
				{Path: "/a\x00b"},
				{Path: securityv1.AbsolutePath("/" + strings.Repeat("n", 256) + "/a")},
				{Path: securityv1.AbsolutePath(longestName)},
			}}))),
			rules: []string{"file block path " + longestName, "file block path /ok"}, state: StateDegraded,
			left: []string{
				"spec.file.matchPaths[0] PathInvalid", "spec.file.matchPaths[1] PathInvalid", "spec.file.matchPaths[2] PathInvalid",
				"spec.file.matchPaths[4] PathInvalid", "spec.file.matchPaths[5] PathInvalid", "spec.file.matchPaths[6] PathInvalid",
				"spec.file.matchPaths[7] PathInvalid",
			},
		},
		"a rule loses all of itself with its narrowing": {
			workloads: on(ksp("p", securityv1.KubeArmorPolicySpec{Rules: securityv1.Rules{
				Process: securityv1.Process{
					MatchPaths: []securityv1.ProcessPath{
						{Path: "/1", FromSource: source},
						{Path: "/2", OwnerOnly: true},
						{Path: "/3", AllowedArgs: []string{"-v"}},
						{Path: "/4", PTS: &no},
						{Path: "/5", PTS: &yes},
						{ExecName: "apt"},
					},
					MatchPatterns: []securityv1.ProcessPattern{{Pattern: "/usr/*/x"}},
				},
				File: securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/6", ReadOnly: true}}},
			}})),
			state: StateRefused,
			left: []string{
				"spec.file.matchPaths[0] ReadOnlyUnsupported",
				"spec.process.matchPaths[0] FromSourceUnsupported", "spec.process.matchPaths[1] OwnerOnlyUnsupported",
				"spec.process.matchPaths[2] ArgumentsUnsupported", "spec.process.matchPaths[3] TerminalUnsupported",
				"spec.process.matchPaths[4] TerminalUnsupported", "spec.process.matchPaths[5] ExecNameUnsupported",
				"spec.process.matchPatterns[0] PatternUnsupported",
			},
		},
		"sections of other domains are named one by one": {
			workloads: on(ksp("p", securityv1.KubeArmorPolicySpec{
				Presets: []securityv1.Preset{{Name: securityv1.PresetExec}},
				Rules: securityv1.Rules{
					Process:      securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}},
					Network:      securityv1.Network{MatchProtocols: []securityv1.NetworkProtocol{{Protocol: "tcp"}}, MatchDNSQueries: []securityv1.DNSQuery{{Domain: "a.b"}}},
					Capabilities: securityv1.Capabilities{MatchCapabilities: []securityv1.MatchCapability{{Capability: "net_raw"}}},
					Syscalls:     securityv1.Syscalls{MatchSyscalls: []securityv1.MatchSyscall{{}}, MatchPaths: []securityv1.SyscallPath{{Path: "/x"}}},
					AppArmor:     "deny /x r,",
				},
			})),
			rules: []string{"process block path /x"}, state: StateDegraded,
			left: []string{
				"spec.apparmor AppArmorUnsupported", "spec.capabilities.matchCapabilities[0] CapabilitiesUnsupported",
				"spec.network.matchDNSQueries[0] DNSUnsupported", "spec.network.matchProtocols[0] NetworkUnsupported",
				"spec.presets[0] PresetUnsupported", "spec.syscalls.matchPaths[0] SyscallsUnsupported",
				"spec.syscalls.matchSyscalls[0] SyscallsUnsupported",
			},
		},
		"Block wins over Audit over Allow on one path, across policies": {
			workloads: on(
				ksp("a", files(action(audit), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x"}, {Path: "/y"}}})),
				ksp("b", files(action(block), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x"}}})),
			),
			rules: []string{"file block path /x", "file audit path /y"}, state: StateEnforced,
		},
		"a recursive directory wins over a weaker plain one of the same name, not over a stronger one": {
			workloads: on(ksp("a", files(none, securityv1.File{MatchDirectories: []securityv1.FileDirectory{
				{Directory: "/x/", Report: action(audit)},
				{Directory: "/x/", Recursive: true, Report: action(block)},
				{Directory: "/y/", Report: action(block)},
				{Directory: "/y/", Recursive: true, Report: action(audit)},
			}}))),
			rules: []string{"file block tree /x/", "file block dir /y/", "file audit tree /y/"}, state: StateEnforced,
		},
		"an Allow rule exempts from a Block rule, and its allow-list is named": {
			workloads: on(ksp("a", files(none, securityv1.File{
				MatchPaths:       []securityv1.FilePath{{Path: "/etc/hosts", Report: action(allow)}},
				MatchDirectories: []securityv1.FileDirectory{{Directory: "/etc/", Recursive: true}},
			}))),
			rules: []string{"file block tree /etc/", "file allow path /etc/hosts"}, state: StateDegraded,
			left: []string{"spec.file.matchPaths[0] AllowListUnsupported"},
		},
		"Allow rules alone leave nothing to hold": {
			workloads: on(ksp("a", files(action(allow), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/etc/hosts"}}}))),
			state:     StateRefused, left: []string{"spec.file.matchPaths[0] AllowListUnsupported"},
		},
		"a Block rule stands back where an exception from it cannot be enforced": {
			workloads: on(ksp("a", files(none, securityv1.File{
				MatchPaths: []securityv1.FilePath{{Path: "/etc/shadow", Report: action(allow), FromSource: source}},
				MatchDirectories: []securityv1.FileDirectory{
					{Directory: "/etc/", Recursive: true}, {Directory: "/var/", Recursive: true},
				},
			}))),
			rules: []string{"file block tree /var/"}, state: StateDegraded,
			left: []string{"spec.file.matchDirectories[0] ExceptionUnsupported", "spec.file.matchPaths[0] FromSourceUnsupported"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := Compile(tt.workloads)
			if diff := cmp.Diff(tt.rules, lines(out)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.left, left(out)); diff != "" {
				t.Errorf("unsupported (-want +got):\n%s", diff)
			}
			if got := out.Policies[0].State; got != tt.state {
				t.Errorf("state = %s, want %s", got, tt.state)
			}
			if bound := len(out.Set.Bindings) == 1; bound != (len(tt.rules) > 0) {
				t.Errorf("bindings = %v with %d rules", out.Set.Bindings, len(tt.rules))
			}
			for _, p := range out.Set.Profiles {
				for _, r := range p.Rules {
					if info, found := out.Rules[r.ID]; !found || info.Effective != r.Action || info.Policy.Name == "" {
						t.Errorf("rule %d (%s) is not in the table of rules: %+v", r.ID, line(r), info)
					}
				}
			}
		})
	}
}

func TestAuditedWorkloadGetsAuditForBlock(t *testing.T) {
	p := ksp("a", processes(securityv1.Report{Severity: 7, Tags: []string{"t"}, Message: "m"},
		securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}}))
	workloads := append(on(p), Workload{Cgroup: Cgroup{ID: 8}, Selections: []Selection{{Policy: p, AuditOnly: true}}})
	out := Compile(workloads)
	if len(out.Set.Profiles) != 2 || len(out.Rules) != 2 {
		t.Fatalf("want a profile and a rule for each treatment, got %d and %d", len(out.Set.Profiles), len(out.Rules))
	}
	for _, profile := range out.Set.Profiles {
		want := ActionBlock
		if out.Set.Bindings[Cgroup{ID: 8}] == profile.ID {
			want = ActionAudit
		}
		info := RuleInfo{
			Policy: Ref{Kind: KindPolicy, Namespace: "shop", Name: "a"}, Severity: 7, Tags: []string{"t"}, Message: "m",
			Action: ActionBlock, Effective: want, Rule: "spec.process.matchPaths[0]",
		}
		if diff := cmp.Diff(info, out.Rules[profile.Rules[0].ID]); diff != "" {
			t.Errorf("info (-want +got):\n%s", diff)
		}
	}
	if got := out.Policies[0].Containers; got != 2 {
		t.Errorf("containers = %d, want 2", got)
	}
}

func TestExemptWorkloadIsBoundWithoutRules(t *testing.T) {
	out := Compile([]Workload{{Cgroup: Cgroup{ID: 9}, Exempt: true}, {Cgroup: Cgroup{ID: 10}}})
	if len(out.Set.Bindings) != 1 || len(out.Set.Profiles) != 1 || len(out.Set.Profiles[0].Rules) != 0 {
		t.Fatalf("want one binding to an empty profile, got %+v", out.Set)
	}
}

func TestPostureAllowMakesAllowRulesHold(t *testing.T) {
	workloads := on(ksp("a", files(action(securityv1.ActionAllow), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x"}}})))
	workloads[0].FilePosture = PostureAllow
	if got := Compile(workloads).Policies[0]; got.State != StateEnforced || got.InForce != 1 {
		t.Errorf("with posture allow an allow-list denies nothing, so nothing is missing; got %+v", got)
	}
}

func TestRuleIDsSurviveAnEditOfOtherRules(t *testing.T) {
	paths := func(names ...securityv1.AbsolutePath) securityv1.Process {
		var p securityv1.Process
		for _, n := range names {
			p.MatchPaths = append(p.MatchPaths, securityv1.ProcessPath{Path: n})
		}
		return p
	}
	before := Compile(on(ksp("a", processes(securityv1.Report{Message: "old"}, paths("/x", "/y")))))
	after := Compile(on(ksp("a", processes(securityv1.Report{Message: "new"}, paths("/z", "/y")))))
	kept := 0
	for id := range before.Rules {
		if _, found := after.Rules[id]; found {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d of the ids are the same, want 1 (the one of /y)", kept)
	}
}
