// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
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
	match := []string{"", "path", "dir", "tree", "execname", "pattern", "protocol", "capability"}[r.Match]
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
				"process Block path /x", "process Block execname apt", "network Block protocol tcp from /s if noTerminal",
				"capabilities Block capability net_raw",
			},
			left: []string{
				"spec.apparmor AppArmorUnsupported", "spec.network.matchDNSQueries[0] DNSUnsupported", "spec.presets[0] PresetUnsupported",
				"spec.syscalls.matchPaths[0] SyscallsUnsupported", "spec.syscalls.matchSyscalls[0] SyscallsUnsupported",
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
			abilities: Paths(), state: StateDegraded, rules: []string{"process Block path /5"},
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

func TestTooManyVariantsOfOneThing(t *testing.T) {
	var paths []securityv1.ProcessPath
	for i := range MaxVariants + 1 {
		paths = append(paths, securityv1.ProcessPath{Path: "/x", AllowedArgs: []string{fmt.Sprint(i)}, Report: action(securityv1.ActionBlock)})
	}
	paths[0].Action, paths[4].Severity = securityv1.ActionAudit, 9
	out := Compile(on(ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: paths}))), Everything())
	if diff := cmp.Diff([]string{"spec.process.matchPaths[0] TooManyVariants"}, left(out)); diff != "" {
		t.Errorf("what blocks is kept (-want +got):\n%s", diff)
	}
	if got := out.Policies[0]; got.InForce != MaxVariants || got.State != StateDegraded {
		t.Errorf("result = %+v", got)
	}
	rules := lines(out)
	if len(rules) != MaxVariants || rules[0] != "process Block path /x args 4" || rules[1] != "process Block path /x args 1" {
		t.Errorf("the higher severity comes first, then the place: %v", rules)
	}
}

func TestGlobThatIsTooComplexIsLeftOut(t *testing.T) {
	wide := func(after string) securityv1.Glob { return securityv1.Glob("/**" + after + strings.Repeat("?", 20)) }
	patterns := []securityv1.FilePattern{{Pattern: wide("a")}, {Pattern: "/ok/*"}, {Pattern: "/bin/*"}}
	w := rooted(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns}))), links{"/bin/": "/usr/bin/"})
	out := Compile(w, Everything())
	want := []string{"file Block pattern /bin/*", "file Block pattern /ok/*", "file Block pattern /usr/bin/*"}
	if diff := cmp.Diff(want, lines(out)); diff != "" {
		t.Errorf("the other globs hold (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"spec.file.matchPatterns[0] PatternTooComplex"}, left(out)); diff != "" {
		t.Errorf("unsupported (-want +got):\n%s", diff)
	}
	patterns = nil
	for i := range patience + 2 {
		patterns = append(patterns, securityv1.FilePattern{Pattern: wide(string(rune('a' + i)))})
	}
	out = Compile(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns}))), Everything())
	if len(lines(out)) != 0 || len(left(out)) != len(patterns) || out.Policies[0].State != StateRefused {
		t.Errorf("rules %v, unsupported %v", lines(out), left(out))
	}
}

func TestGlobsAreCompiledOnceForAllWorkloads(t *testing.T) {
	var patterns []securityv1.FilePattern
	for _, p := range []securityv1.Glob{"/a/**", "/b/*"} {
		patterns = append(patterns, securityv1.FilePattern{Pattern: p})
	}
	p := ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns, MatchPaths: []securityv1.FilePath{{Path: "/x", Report: action(securityv1.ActionAllow)}}}))
	workloads := append(on(p), on(p)...)
	workloads[1].Cgroup.ID, workloads[1].Postures = 8, map[Domain]policy.Posture{DomainFile: policy.PostureBlock}
	out := Compile(workloads, Everything())
	if len(out.Set.Profiles) != 2 || out.Set.Profiles[0].Patterns[DomainFile].Automaton != out.Set.Profiles[1].Patterns[DomainFile].Automaton {
		t.Error("two profiles with the same globs have an automaton each")
	}
}

func TestGlobsOfOnePlaceShareAState(t *testing.T) {
	var patterns []securityv1.FilePattern
	for _, p := range []securityv1.Glob{"/a/**", "/a/b*", "/a/*c", "/a/bc"} {
		patterns = append(patterns, securityv1.FilePattern{Pattern: p})
	}
	patterns[0].Severity = 2
	out := Compile(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns}))), Everything())
	if diff := cmp.Diff([]string{"file Block pattern /a/**"}, lines(out)); diff != "" {
		t.Errorf("rules that never decide are no part of a profile (-want +got):\n%s", diff)
	}
	if got := out.Policies[0]; got.State != StateEnforced || got.InForce != 4 {
		t.Errorf("result = %+v", got)
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

func TestExemptWorkloadIsBoundWithoutRules(t *testing.T) {
	out := Compile([]Workload{{Cgroup: Cgroup{ID: 9}, Exempt: true}, {Cgroup: Cgroup{ID: 10}}}, Everything())
	if len(out.Set.Bindings) != 1 || len(out.Set.Profiles) != 1 || len(out.Set.Profiles[0].Rules) != 0 {
		t.Fatalf("want one binding to an empty profile, got %+v", out.Set)
	}
}

func TestRefusedPolicyIsLeftOutAndSaysSo(t *testing.T) {
	rule := processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}})
	workloads := on(ksp("good", rule), ksp("odd", rule))
	workloads[0].Selections[1].Refused = "it is odd"
	out := Compile(workloads, Everything())
	if len(lines(out)) != 1 || out.Policies[0].State != StateEnforced || out.Policies[1].State != StateRefused {
		t.Errorf("rules %v, policies %+v", lines(out), out.Policies)
	}
	want := []Unsupported{{Rule: "spec.process.matchPaths[0]", Reason: ReasonRefused, Message: "it is odd"}}
	if diff := cmp.Diff(want, out.Policies[1].Unsupported); diff != "" {
		t.Errorf("unsupported (-want +got):\n%s", diff)
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
	before := Compile(on(ksp("a", processes(securityv1.Report{Message: "old"}, paths("/x", "/y")))), Everything())
	after := Compile(on(ksp("a", processes(securityv1.Report{Message: "new"}, paths("/z", "/y")))), Everything())
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

func TestRuleIDsTellAllContentApart(t *testing.T) {
	rules := []policy.Rule{
		{Path: "/x"},
		{Directory: "/x/"},
		{Directory: "/x/", Recursive: true},
		{Pattern: "/x"},
		{ExecName: "x"},
		{Path: "/x", OwnerOnly: true},
		{Path: "/x", ReadOnly: true},
		{Path: "/x", NoTerminal: true},
		{Path: "/x", AllowedArgs: []string{"a", "b"}},
		{Path: "/x", AllowedArgs: []string{"ab"}},
		{Path: "/x", Sources: []policy.Source{{Path: "/s"}}},
		{Path: "/x", Sources: []policy.Source{{Path: "/s"}, {Path: "/t"}}},
		{Path: "/x", Action: ActionAudit},
		{Path: "/x", Domain: DomainProcess},
	}
	seen := map[RuleID]policy.Rule{}
	for _, r := range rules {
		id := newCandidate(&r, Ref{Name: "p"}, false).id
		if other, found := seen[id]; found {
			t.Errorf("%+v and %+v have the same id", r, other)
		}
		seen[id] = r
	}
	if a, b := newCandidate(&rules[0], Ref{Name: "p"}, false).id, newCandidate(&rules[0], Ref{Name: "q"}, false).id; a == b {
		t.Error("rules of two policies have the same id")
	}
	if a := newCandidate(&policy.Rule{Path: "/x", At: "elsewhere", Severity: 4}, Ref{Name: "p"}, false).id; a != newCandidate(&rules[0], Ref{Name: "p"}, false).id {
		t.Error("the place of a rule is part of its id")
	}
}

func TestWorkloadsShareAProfileWhereTheirRootsResolveAlike(t *testing.T) {
	p := ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/bin/sh"}}}))
	var workloads []Workload
	for i, root := range []Root{nil, links{}, links{"/other": "/thing"}, links{"/bin/sh": "/usr/bin/sh"}, links{"/bin/sh": "/usr/bin/sh"}, links{"/bin/sh": "/bin/busybox"}} {
		workloads = append(workloads, Workload{Cgroup: Cgroup{ID: CgroupID(i + 1)}, Selections: on(p)[0].Selections, Root: root})
	}
	out := Compile(workloads, Everything())
	if len(out.Set.Profiles) != 2 {
		t.Errorf("%d profiles, want one with and one without the object behind the link", len(out.Set.Profiles))
	}
	if len(out.Rules) != 1 {
		t.Errorf("%d ids, want one: the alias is the same rule", len(out.Rules))
	}
	if got := out.Policies[0]; got.State != StateRefused || len(got.Unsupported) != 1 || got.Containers != 6 {
		t.Errorf("one rule does not hold on one of six containers; result = %+v", got)
	}
}

func TestProfilesAreNamedByAllOfTheirContent(t *testing.T) {
	p := ksp("p", files(securityv1.Report{}, securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x", FromSource: from("/s")}}}))
	var workloads []Workload
	for i, root := range []Root{links{"/s": "/1"}, links{"/s": "/2"}, links{"/x": "/3"}, links{"/x": "/4"}} {
		workloads = append(workloads, Workload{Cgroup: Cgroup{ID: CgroupID(i + 1)}, Selections: on(p)[0].Selections, Root: root})
	}
	if got := len(Compile(workloads, Everything()).Set.Profiles); got != 4 {
		t.Errorf("%d profiles, want 4: each has another rule", got)
	}
}

func TestSeverityThatChangesWhichGlobDecidesMakesAnotherProfile(t *testing.T) {
	profile := func(severity securityv1.Severity) Profile {
		return Compile(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: []securityv1.FilePattern{
			{Pattern: "/a/**", ReadOnly: true}, {Pattern: "/a/*", OwnerOnly: true, Report: securityv1.Report{Severity: severity}},
		}}))), Everything()).Set.Profiles[0]
	}
	first, second := profile(0), profile(5)
	if cmp.Diff(first.Rules, second.Rules) != "" || cmp.Equal(first.Patterns, second.Patterns) {
		t.Fatal("the test is about two profiles that differ in the order of the rules that match together, and in nothing else")
	}
	if first.ID == second.ID {
		t.Error("two profiles have the same id")
	}
}

func TestCovers(t *testing.T) {
	rule := func(a Action, args ...string) entry {
		return entry{candidate: newCandidate(&policy.Rule{Action: a, Path: "/x", AllowedArgs: args}, Ref{}, false)}
	}
	direct := rule(ActionBlock)
	direct.direct = true
	for name, tt := range map[string]struct {
		a, b  entry
		first bool
		want  bool
	}{
		"the stronger one":                              {rule(ActionBlock), rule(ActionAudit), false, true},
		"not the weaker one":                            {rule(ActionAudit), rule(ActionBlock), true, false},
		"the first of two that are as strong":           {rule(ActionBlock), rule(ActionBlock, "1"), true, true},
		"not the second of them":                        {rule(ActionBlock), rule(ActionBlock, "1"), false, false},
		"which of two lets pass does not matter":        {rule(ActionAllow), rule(ActionAllow, "1"), false, true},
		"an Allow rule that permits more":               {rule(ActionAllow, "1", "2"), rule(ActionAllow, "2"), true, true},
		"not one that permits less":                     {rule(ActionAllow, "1"), rule(ActionAllow, "1", "2"), true, false},
		"a Block rule that spares less":                 {rule(ActionBlock, "1"), rule(ActionBlock, "1", "2"), true, true},
		"not one that spares more":                      {rule(ActionBlock, "1", "2"), rule(ActionBlock, "1"), true, false},
		"not one that spares the same and audits":       {rule(ActionAudit, "1"), rule(ActionBlock, "1"), true, false},
		"a Block rule does what no Allow rule can undo": {rule(ActionBlock, "1"), rule(ActionAllow, "1"), false, true},
		"not a directory's direct entries all below it": {direct, rule(ActionBlock, "1"), true, false},
		"but the other way round":                       {rule(ActionBlock), direct, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := covers(tt.a, tt.b, tt.first); got != tt.want {
				t.Errorf("covers = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCompilerRemembersWhatDidNotChange(t *testing.T) {
	p := ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}}))
	c := Compiler{Abilities: Everything()}
	first := c.Compile(on(p))
	held := slices.Collect(func(yield func(*group) bool) {
		for _, g := range c.built {
			yield(g)
		}
	})[0]
	second := c.Compile(append(on(p), Workload{Cgroup: Cgroup{ID: 8}, Selections: []Selection{{Policy: p}}}))
	for _, g := range c.built {
		if g != held {
			t.Error("the same profile was built twice")
		}
	}
	if first.Policies[0].Containers != 1 || second.Policies[0].Containers != 2 {
		t.Errorf("containers: %d, then %d", first.Policies[0].Containers, second.Policies[0].Containers)
	}
	if diff := cmp.Diff(first.Set.Profiles, second.Set.Profiles); diff != "" {
		t.Errorf("profiles (-first +second):\n%s", diff)
	}
	changed := ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/y"}}}))
	if got := lines(c.Compile(on(changed))); len(got) != 1 || got[0] != "process Block path /y" {
		t.Errorf("a policy that was made anew gives %v", got)
	}
}
