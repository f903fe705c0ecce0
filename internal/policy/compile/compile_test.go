// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
)

// line is a rule of a profile without its id, as text: "process Block path /bin/sh from /bin/bash if owner args -v".
func line(r Rule) string {
	match := []string{"", "path", "dir", "tree", "execname", "pattern", "protocol", "capability", "name", "wildcard", "preset", 20: "syscall"}[r.Match]
	words := []string{r.Domain.String(), r.Action.String(), match, r.Path}
	if r.Source != "" {
		words = append(words, "from", r.Source)
	}
	for i, word := range []string{"owner", "read", "noTerminal"} {
		if r.Conditions&(1<<i) != 0 {
			words = append(words, "if", word)
		}
	}
	if r.Conditions&ConditionArguments != 0 {
		words = append(words, "args", strings.Join(r.Arguments, ","))
	}
	return strings.Join(words, " ")
}

// lines are the rules and postures of all profiles.
func lines(out Output) []string {
	var text []string
	for _, p := range out.Set.Profiles {
		for _, r := range p.Rules {
			text = append(text, line(r))
		}
		for domain := range Domain(policy.Domains) {
			if action := p.Postures[domain]; action != ActionNone {
				text = append(text, fmt.Sprintf("%s posture %s", domain, action))
			}
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

func ksp(name string, spec securityv1.KubeArmorPolicySpec) *policy.Policy {
	p := parse.KubeArmorPolicy(&securityv1.KubeArmorPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: 1}, Spec: spec,
	})
	return &p
}

func processes(r securityv1.Report, p securityv1.Process) securityv1.KubeArmorPolicySpec {
	return securityv1.KubeArmorPolicySpec{Report: r, Rules: securityv1.Rules{Process: p}}
}

func files(r securityv1.Report, f securityv1.File) securityv1.KubeArmorPolicySpec {
	return securityv1.KubeArmorPolicySpec{Report: r, Rules: securityv1.Rules{File: f}}
}

func action(a securityv1.Action) securityv1.Report { return securityv1.Report{Action: a} }

func from(paths ...securityv1.AbsolutePath) []securityv1.MatchSource {
	var out []securityv1.MatchSource
	for _, path := range paths {
		out = append(out, securityv1.MatchSource{Path: path})
	}
	return out
}

func on(policies ...*policy.Policy) []Workload {
	w := Workload{Cgroup: Cgroup{ID: 7, Level: 3, Path: "/a/b/c"}}
	for _, p := range policies {
		w.Selections = append(w.Selections, Selection{Policy: p})
	}
	return []Workload{w}
}

// links are a root's symbolic links; those that end in busybox lead to a program of many names.
type links map[string]string

func (l links) Resolve(path string) (string, bool) {
	if object, found := l[path]; found {
		return object, strings.HasSuffix(object, "busybox")
	}
	return path, false
}

// onlyPaths are the abilities of an enforcer that knows nothing but paths and directories.
func onlyPaths() Abilities {
	paths := []Match{MatchPath, MatchDirectory, MatchRecursive}
	return Abilities{Matches: map[Domain][]Match{DomainProcess: paths, DomainFile: paths}}
}

func TestCompile(t *testing.T) {
	block, audit, allow := securityv1.ActionBlock, securityv1.ActionAudit, securityv1.ActionAllow
	none, no := securityv1.Report{}, false
	everything := securityv1.KubeArmorPolicySpec{
		Presets: []securityv1.Preset{{Name: securityv1.PresetExec}},
		Rules: securityv1.Rules{
			Process: securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}, {ExecName: "apt"}}},
			Network: securityv1.Network{
				MatchProtocols:  []securityv1.NetworkProtocol{{Protocol: "tcp", PTS: &no, FromSource: from("/s")}},
				MatchDNSQueries: []securityv1.DNSQuery{{Domain: "a.b"}},
			},
			Capabilities: securityv1.Capabilities{MatchCapabilities: []securityv1.MatchCapability{{Capability: "net_raw"}}},
			Syscalls: securityv1.Syscalls{
				MatchSyscalls: []securityv1.MatchSyscall{{Syscalls: []securityv1.SyscallName{"open"}}},
				MatchPaths:    []securityv1.SyscallPath{{Path: "/x"}},
			},
			AppArmor: "deny /x r,",
		},
	}
	tests := map[string]struct {
		workloads []Workload
		abilities Abilities
		rules     []string
		left      []string
		state     State
	}{
		"all domains, and what the core does not hold is named one by one": {
			workloads: on(ksp("p", everything)), abilities: Everything(), state: StateDegraded,
			rules: []string{
				"none Block preset exec", "process Block path /x", "process Block execname apt", "network Block protocol tcp from /s if noTerminal",
				"capabilities Block capability net_raw",
				"dns Block name a.b", "syscalls Audit syscall open",
			},
			left: []string{
				"spec.apparmor AppArmorUnsupported",
				"spec.syscalls.matchPaths[0] SyscallPathUnsupported",
			},
		},
		"an enforcer of paths loses a whole rule with its narrowing": {
			workloads: on(ksp("p", securityv1.KubeArmorPolicySpec{Rules: securityv1.Rules{
				Process: securityv1.Process{
					MatchPaths: []securityv1.ProcessPath{
						{Path: "/1", FromSource: from("/s")},
						{Path: "/2", OwnerOnly: true},
						{Path: "/3", AllowedArgs: []string{"-v"}},
						{Path: "/4", PTS: &no},
						{ExecName: "apt"},
						{Path: "/5"},
					},
					MatchPatterns: []securityv1.ProcessPattern{{Pattern: "/usr/*/x"}},
				},
				File:         securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/6", ReadOnly: true}, {Path: "/7", Report: action(allow)}}},
				Network:      securityv1.Network{MatchProtocols: []securityv1.NetworkProtocol{{Protocol: "tcp"}}},
				Capabilities: securityv1.Capabilities{MatchCapabilities: []securityv1.MatchCapability{{Capability: "net_raw"}}},
			}})),
			abilities: onlyPaths(), state: StateDegraded, rules: []string{"process Block path /5"},
			left: []string{
				"spec.capabilities.matchCapabilities[0] CapabilitiesUnsupported", "spec.file.matchPaths[0] ReadOnlyUnsupported",
				"spec.file.matchPaths[1] AllowListUnsupported", "spec.network.matchProtocols[0] NetworkUnsupported",
				"spec.process.matchPaths[0] FromSourceUnsupported", "spec.process.matchPaths[1] OwnerOnlyUnsupported",
				"spec.process.matchPaths[2] ArgumentsUnsupported", "spec.process.matchPaths[3] TerminalUnsupported",
				"spec.process.matchPaths[4] ExecNameUnsupported", "spec.process.matchPatterns[0] PatternUnsupported",
			},
		},
		"impossible rules are named, the other rules hold": {
			workloads: on(ksp("p", files(none, securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/a/../b"}, {Path: "/ok"}}}))),
			abilities: Everything(), state: StateDegraded, rules: []string{"file Block path /ok"}, left: []string{"spec.file.matchPaths[0] RuleInvalid"},
		},
		"Block wins over Audit over Allow on one path, across policies": {
			workloads: on(
				ksp("a", files(action(audit), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x"}, {Path: "/y"}}})),
				ksp("b", files(action(block), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x"}}})),
				ksp("c", files(action(allow), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x"}}})),
			),
			abilities: Everything(), rules: []string{"file Block path /x", "file Audit path /y", "file posture Audit"}, state: StateEnforced,
		},
		"a recursive directory wins over a weaker plain one of the same name, not over a stronger one": {
			workloads: on(ksp("a", files(none, securityv1.File{MatchDirectories: []securityv1.FileDirectory{
				{Directory: "/x/", Report: action(audit)},
				{Directory: "/x/", Recursive: true, Report: action(block)},
				{Directory: "/y/", Report: action(block)},
				{Directory: "/y/", Recursive: true, Report: action(audit)},
			}}))),
			abilities: Everything(), rules: []string{"file Block tree /x/", "file Block dir /y/", "file Audit tree /y/"}, state: StateEnforced,
		},
		"there is one rule for each source": {
			workloads: on(ksp("a", files(none, securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x", FromSource: from("/t", "/s")}}}))),
			abilities: Everything(), rules: []string{"file Block path /x from /s", "file Block path /x from /t"}, state: StateEnforced,
		},
		"rules with different conditions compete, but for those that can never decide": {
			workloads: on(
				ksp("a", files(action(allow), securityv1.File{MatchPaths: []securityv1.FilePath{
					{Path: "/x", OwnerOnly: true},
					{Path: "/x"},
					{Path: "/y", OwnerOnly: true},
					{Path: "/y", ReadOnly: true},
					{Path: "/z", OwnerOnly: true},
					{Path: "/z", ReadOnly: true},
				}})),
				ksp("b", files(action(block), securityv1.File{MatchPaths: []securityv1.FilePath{
					{Path: "/y", OwnerOnly: true, ReadOnly: true}, {Path: "/y", ReadOnly: true},
				}})),
			),
			abilities: Everything(), state: StateEnforced,
			rules: []string{
				"file Allow path /x", "file Block path /y if owner if read",
				"file Allow path /z if owner", "file Allow path /z if read", "file posture Audit",
			},
		},
		"an allow-list without a posture and without rules that block exempts from nothing": {
			workloads: allowing(on(ksp("a", files(action(allow), securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x"}}})))),
			abilities: Everything(), state: StateEnforced,
		},
		"an allow-list without a posture exempts from the rules that block": {
			workloads: allowing(on(ksp("a", files(none, securityv1.File{
				MatchPaths:       []securityv1.FilePath{{Path: "/etc/hosts", Report: action(allow)}},
				MatchDirectories: []securityv1.FileDirectory{{Directory: "/etc/", Recursive: true}},
			})))),
			abilities: Everything(), rules: []string{"file Allow path /etc/hosts", "file Block tree /etc/"}, state: StateEnforced,
		},
		"processes have the posture of files, and each domain is an allow-list of its own": {
			workloads: on(ksp("a", securityv1.KubeArmorPolicySpec{Report: action(allow), Rules: securityv1.Rules{
				Process:      securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}},
				Network:      securityv1.Network{MatchProtocols: []securityv1.NetworkProtocol{{Protocol: "udp"}}},
				Capabilities: securityv1.Capabilities{MatchCapabilities: []securityv1.MatchCapability{{Capability: "kill"}}},
			}})),
			abilities: Everything(), state: StateEnforced,
			rules: []string{
				"process Allow path /x", "network Allow protocol udp", "capabilities Allow capability kill",
				"process posture Audit", "network posture Audit", "capabilities posture Audit",
			},
		},
		"a path through a link means the object behind it too": {
			workloads: rooted(on(ksp("a", securityv1.KubeArmorPolicySpec{Rules: securityv1.Rules{
				Process: securityv1.Process{MatchDirectories: []securityv1.ProcessDirectory{{Directory: "/bin/"}}},
				File:    securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/lib/x", FromSource: from("/bin/sh")}}},
			}})), links{"/bin/": "/usr/bin/", "/lib/x": "/usr/lib/x", "/bin/sh": "/usr/bin/dash"}),
			abilities: Everything(), state: StateEnforced,
			rules: []string{
				"process Block dir /bin/", "process Block dir /usr/bin/",
				"file Block path /lib/x from /bin/sh", "file Block path /lib/x from /usr/bin/dash",
				"file Block path /usr/lib/x from /bin/sh", "file Block path /usr/lib/x from /usr/bin/dash",
			},
		},
		"a program of many names is not meant by one of them": {
			workloads: rooted(on(ksp("a", processes(none, securityv1.Process{MatchPaths: []securityv1.ProcessPath{
				{Path: "/bin/sh"}, {Path: "/bin/busybox"}, {Path: "/x", FromSource: from("/bin/sh", "/s")},
			}}))), links{"/bin/sh": "/bin/busybox"}),
			abilities: Everything(), state: StateDegraded,
			rules: []string{"process Block path /bin/busybox", "process Block path /bin/sh", "process Block path /x from /bin/sh", "process Block path /x from /s"},
			left:  []string{"spec.process.matchPaths[0] MultiCallBinary", "spec.process.matchPaths[2] MultiCallBinary"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := Compile(tt.workloads, tt.abilities)
			if diff := cmp.Diff(tt.rules, lines(out)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.left, left(out)); diff != "" {
				t.Errorf("unsupported (-want +got):\n%s", diff)
			}
			for _, p := range out.Policies {
				if p.State != tt.state {
					t.Errorf("%s is %s, want %s", p.Ref, p.State, tt.state)
				}
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

func allowing(workloads []Workload) []Workload {
	workloads[0].Postures = map[Domain]policy.Posture{DomainFile: policy.PostureAllow}
	return workloads
}

func rooted(workloads []Workload, root Root) []Workload {
	workloads[0].Root = root
	return workloads
}

func TestPostures(t *testing.T) {
	allow := ksp("a", securityv1.KubeArmorPolicySpec{Report: action(securityv1.ActionAllow), Rules: securityv1.Rules{
		File:    securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x", FromSource: from("/s")}}},
		Process: securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x", OwnerOnly: true}}},
	}})
	for name, tt := range map[string]struct {
		posture   policy.Posture
		auditOnly bool
		want      Action
	}{
		"audit is the default":                   {"", false, ActionAudit},
		"block":                                  {policy.PostureBlock, false, ActionBlock},
		"an audited workload audits, not blocks": {policy.PostureBlock, true, ActionAudit},
		"audit":                                  {policy.PostureAudit, false, ActionAudit},
		"allow does nothing":                     {policy.PostureAllow, false, ActionNone},
	} {
		t.Run(name, func(t *testing.T) {
			w := on(allow)
			w[0].Postures, w[0].AuditOnly, w[0].Exempt = map[Domain]policy.Posture{DomainFile: tt.posture}, tt.auditOnly, true
			got := Compile(w, Everything()).Set.Profiles[0].Postures
			if got[DomainFile] != tt.want || got[DomainProcess] != tt.want || got[DomainNetwork] != ActionNone {
				t.Errorf("postures = %v, want %s for files and processes", got, tt.want)
			}
		})
	}
}

func TestAuditedWorkloadGetsAuditForBlock(t *testing.T) {
	p := ksp("a", processes(securityv1.Report{Severity: 7, Tags: []string{"t"}, Message: "m"},
		securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}}))
	workloads := append(on(p), Workload{Cgroup: Cgroup{ID: 8}, Selections: []Selection{{Policy: p}}, AuditOnly: true})
	out := Compile(workloads, Everything())
	if len(out.Set.Profiles) != 2 || len(out.Rules) != 2 {
		t.Fatalf("want a profile and a rule for each treatment, got %d and %d", len(out.Set.Profiles), len(out.Rules))
	}
	for _, profile := range out.Set.Profiles {
		want := ActionBlock
		if out.Set.Bindings[Cgroup{ID: 8}] == profile.ID {
			want = ActionAudit
		}
		info := RuleInfo{
			Policy: Ref{Kind: policy.KindPolicy, Namespace: "shop", Name: "a"}, Severity: 7, Tags: []string{"t"}, Message: "m",
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
