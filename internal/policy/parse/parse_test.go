// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// line is a rule without its place and texts: "process Block path /bin/sh from /bin/bash ownerOnly args -v".
func line(r policy.Rule) string {
	words := []string{r.Domain.String(), r.Action.String()}
	what := []struct{ word, value string }{
		{"path", r.Path},
		{"execname", r.ExecName},
		{"dir", r.Directory},
		{"pattern", r.Pattern},
		{"protocol", r.Protocol},
		{"dns", r.DNSName},
		{"capability", r.Capability},
		{"preset", r.Preset},
		{"syscalls", strings.Join(r.Syscalls, ",")},
		{"args", strings.Join(r.AllowedArgs, ",")},
	}
	for _, w := range what {
		if w.value != "" {
			words = append(words, w.word, w.value)
		}
	}
	flags := []struct {
		word string
		set  bool
	}{{"recursive", r.Recursive}, {"ownerOnly", r.OwnerOnly}, {"readOnly", r.ReadOnly}, {"noTerminal", r.NoTerminal}}
	for _, f := range flags {
		if f.set {
			words = append(words, f.word)
		}
	}
	for _, s := range r.Sources {
		words = append(words, "from", s.Path+s.Directory)
		if s.Recursive {
			words = append(words, "and below")
		}
	}
	return strings.Join(words, " ")
}

func lines(p policy.Policy) []string {
	var text []string
	for _, r := range p.Rules {
		text = append(text, line(r))
	}
	return text
}

func problems(p policy.Policy) []string {
	var text []string
	for _, problem := range p.Problems {
		text = append(text, problem.At+": "+problem.Message)
	}
	return text
}

func read(rules securityv1.Rules) policy.Policy {
	p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", Generation: 3}}
	p.Spec.Rules = rules
	return KubeArmorPolicy(p)
}

func sources(paths ...securityv1.AbsolutePath) []securityv1.MatchSource {
	var out []securityv1.MatchSource
	for _, path := range paths {
		out = append(out, securityv1.MatchSource{Path: path})
	}
	return out
}

func TestRulesMeanWhatTheirAuthorsWrote(t *testing.T) {
	no, yes := false, true
	allow, audit, block := securityv1.ActionAllow, securityv1.ActionAudit, securityv1.ActionBlock
	tests := map[string]struct {
		rules securityv1.Rules
		want  []string
	}{
		"without any action a rule blocks": {
			securityv1.Rules{Process: securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/bin/sh"}}}},
			[]string{"process Block path /bin/sh"},
		},
		"every field of a process": {
			securityv1.Rules{Process: securityv1.Process{
				MatchPaths: []securityv1.ProcessPath{
					{Path: "/a", AllowedArgs: []string{"-v", "-a", "-v"}, OwnerOnly: true, PTS: &no, FromSource: sources("/bin/sh", "/bin//ash", "/bin/sh")},
					{ExecName: "curl", PTS: &yes},
				},
				MatchDirectories: []securityv1.ProcessDirectory{{Directory: "/usr//bin/", Recursive: true, OwnerOnly: true, PTS: &no, FromSource: sources("/x")}},
				MatchPatterns:    []securityv1.ProcessPattern{{Pattern: "/opt/**", OwnerOnly: true}},
			}},
			[]string{
				"process Block path /a args -a,-v ownerOnly noTerminal from /bin/ash from /bin/sh", "process Block execname curl",
				"process Block dir /usr/bin/ recursive ownerOnly noTerminal from /x", "process Block pattern /opt/** ownerOnly",
			},
		},
		"every field of a file": {
			securityv1.Rules{File: securityv1.File{
				MatchPaths:       []securityv1.FilePath{{Path: "/a", ReadOnly: true, OwnerOnly: true, FromSource: sources("/x")}},
				MatchDirectories: []securityv1.FileDirectory{{Directory: "/", ReadOnly: true}},
				MatchPatterns:    []securityv1.FilePattern{{Pattern: "**/id_rsa", ReadOnly: true}},
			}},
			[]string{"file Block path /a ownerOnly readOnly from /x", "file Block dir / readOnly", "file Block pattern **/id_rsa readOnly"},
		},
		"protocols and names are folded to lower case": {
			securityv1.Rules{Network: securityv1.Network{
				MatchProtocols:  []securityv1.NetworkProtocol{{Protocol: "TCP", PTS: &no, FromSource: sources("/x")}},
				MatchDNSQueries: []securityv1.DNSQuery{{Domain: "Example.COM.", FromSource: sources("/x")}, {Domain: "*.example.com"}},
			}},
			[]string{"network Block protocol tcp noTerminal from /x", "dns Block dns example.com from /x", "dns Block dns *.example.com"},
		},
		"capabilities": {
			securityv1.Rules{Capabilities: securityv1.Capabilities{
				Report: securityv1.Report{Action: audit}, MatchCapabilities: []securityv1.MatchCapability{{Capability: "net_raw", FromSource: sources("/x")}},
			}},
			[]string{"capabilities Audit capability net_raw from /x"},
		},
		"system calls are audited, and a path that is recursive is a directory": {
			securityv1.Rules{Syscalls: securityv1.Syscalls{
				MatchSyscalls: []securityv1.MatchSyscall{{
					Syscalls:   []securityv1.SyscallName{"unlink", "rmdir"},
					FromSource: []securityv1.SyscallSource{{Path: "/bin/sh"}, {Directory: "/opt/", Recursive: true}},
				}},
				MatchPaths: []securityv1.SyscallPath{
					{Path: "/etc/shadow"}, {Path: "/etc", Recursive: true}, {Path: "/var/", Syscalls: []securityv1.SyscallName{"open"}},
				},
			}},
			[]string{
				"syscalls Audit syscalls unlink,rmdir from /bin/sh from /opt/ and below",
				"syscalls Audit path /etc/shadow", "syscalls Audit dir /etc/ recursive", "syscalls Audit dir /var/ syscalls open",
			},
		},
		"the nearest action wins: rule, then section, then spec": {
			securityv1.Rules{File: securityv1.File{
				Report:     securityv1.Report{Action: allow},
				MatchPaths: []securityv1.FilePath{{Path: "/a"}, {Path: "/b", Report: securityv1.Report{Action: block}}},
			}},
			[]string{"file Allow path /a", "file Block path /b"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := read(tt.rules)
			if diff := cmp.Diff(tt.want, lines(p)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if len(p.Problems) > 0 {
				t.Errorf("problems: %v", problems(p))
			}
		})
	}
}

func TestEachPropertyComesFromTheNearestThatSetsIt(t *testing.T) {
	p := &securityv1.KubeArmorPolicy{}
	p.Spec.Report = securityv1.Report{Severity: 1, Tags: []string{"spec"}, Message: "spec", Action: securityv1.ActionAllow}
	p.Spec.File.Report = securityv1.Report{Severity: 5, Tags: []string{"section"}}
	p.Spec.File.MatchPaths = []securityv1.FilePath{{Path: "/a", Report: securityv1.Report{Severity: 9}}, {Path: "/b"}}
	p.Spec.Presets = []securityv1.Preset{{Name: "exec"}, {Name: "filelessExec", Action: securityv1.ActionAudit}}
	want := []policy.Rule{
		{At: "spec.file.matchPaths[0]", Domain: policy.DomainFile, Action: policy.ActionAllow, Severity: 9, Tags: []string{"section"}, Message: "spec", Path: "/a"},
		{At: "spec.file.matchPaths[1]", Domain: policy.DomainFile, Action: policy.ActionAllow, Severity: 5, Tags: []string{"section"}, Message: "spec", Path: "/b"},
		{At: "spec.presets[0]", Action: policy.ActionAllow, Severity: 1, Tags: []string{"spec"}, Message: "spec", Preset: "exec"},
		{At: "spec.presets[1]", Action: policy.ActionAudit, Severity: 1, Tags: []string{"spec"}, Message: "spec", Preset: "filelessExec"},
	}
	if diff := cmp.Diff(want, KubeArmorPolicy(p).Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestImpossibleRulesAreNamedAndTheOthersStay(t *testing.T) {
	long := securityv1.AbsolutePath("/" + strings.Repeat("n", NameMax+1))
	tests := map[string]struct {
		rules securityv1.Rules
		says  string
	}{
		"a dot-dot component":       {files("/a/../b"), `path "/a/../b" has a ".." component`},
		"a dot component":           {files("/./a"), `path "/./a" has a "." component`},
		"a relative path":           {files("a"), `path "a" does not start with "/"`},
		"no path":                   {files(""), `path "" does not start with "/"`},
		"a directory as a path":     {files("/dir/"), `path "/dir/" ends in "/"; use matchDirectories`},
		"the root as a path":        {files("/"), `path "/" ends in "/"`},
		"a path that is too long":   {files(securityv1.AbsolutePath(strings.Repeat("/x", 2048))), "is longer than 4095 bytes"},
		"a zero byte":               {files("/a\x00b"), "zero byte"},
		"a name that is too long":   {files(long), "has a component of 256 bytes"},
		"a path as a directory":     {securityv1.Rules{File: securityv1.File{MatchDirectories: []securityv1.FileDirectory{{Directory: "/etc"}}}}, "use matchPaths for a file"},
		"an impossible source":      {securityv1.Rules{File: securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/a", FromSource: sources("/x", "y")}}}}, `fromSource[1].path "y" does not start with "/"`},
		"an unknown action":         {securityv1.Rules{File: securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/a", Report: securityv1.Report{Action: "Deny"}}}}}, `action "Deny" is unknown; use Allow, Audit or Block`},
		"neither path nor name":     {processes(securityv1.ProcessPath{}), "sets not exactly one of path"},
		"both path and name":        {processes(securityv1.ProcessPath{Path: "/a", ExecName: "a"}), "sets not exactly one of path"},
		"a name with a slash":       {processes(securityv1.ProcessPath{ExecName: "bin/a"}), `execname "bin/a" is not the name of a file`},
		"an argument that is none":  {processes(securityv1.ProcessPath{Path: "/a", AllowedArgs: []string{"-v", "a\x00"}}), `allowedArgs[1] "a\x00" contains a zero byte`},
		"an open bracket":           {pattern("/a/[b"), `pattern "/a/[b" is no glob: at byte 3, `},
		"a glob for no path":        {pattern("a*"), `pattern "a*" is no glob: at byte 0, `},
		"a glob that is too long":   {pattern(securityv1.Glob("/" + strings.Repeat("n", PathMax))), `is no glob: at byte 4095, a pattern is at most 4095 bytes long`},
		"an unknown protocol":       {securityv1.Rules{Network: securityv1.Network{MatchProtocols: []securityv1.NetworkProtocol{{Protocol: "tpc"}}}}, `protocol "tpc" is unknown; use one of tcp, udp`},
		"an unknown capability":     {capability("net_rare"), `capability "net_rare" is unknown`},
		"a capability as CAP_":      {capability("CAP_NET_RAW"), `capability "CAP_NET_RAW" is written otherwise here: net_raw`},
		"a star inside a name":      {domain("a.*.com"), `elsewhere than as its whole first label`},
		"a star alone":              {domain("*"), `elsewhere than as its whole first label`},
		"an empty label":            {domain("a..com"), "has an empty label"},
		"a label that is too long":  {domain(strings.Repeat("l", 64) + ".com"), "has a label of 64 bytes"},
		"an address of the web":     {domain("https://a"), "without scheme, port or path"},
		"a domain that is too long": {domain(strings.Repeat("l.", 127) + "com"), "is longer than 253 bytes"},
		"a system call is blocked": {securityv1.Rules{Syscalls: securityv1.Syscalls{
			Report: securityv1.Report{Action: "Block"}, MatchSyscalls: []securityv1.MatchSyscall{{Syscalls: []securityv1.SyscallName{"open"}}},
		}}, "syscalls can only be audited"},
		"no system call": {securityv1.Rules{Syscalls: securityv1.Syscalls{MatchSyscalls: []securityv1.MatchSyscall{{}}}}, "names no system call"},
		"a source of a system call without a place": {securityv1.Rules{Syscalls: securityv1.Syscalls{MatchSyscalls: []securityv1.MatchSyscall{
			{Syscalls: []securityv1.SyscallName{"open"}, FromSource: []securityv1.SyscallSource{{}}},
		}}}, "fromSource[0] sets not exactly one of path"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.rules.Process.MatchDirectories = []securityv1.ProcessDirectory{{Directory: "/ok/"}}
			p := read(tt.rules)
			if diff := cmp.Diff([]string{"process Block dir /ok/"}, lines(p)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if got := problems(p); len(got) != 1 || !strings.Contains(got[0], "[0]: ") || !strings.Contains(got[0], tt.says) {
				t.Errorf("problems = %q, want one with %q", got, tt.says)
			}
		})
	}
}

func files(path securityv1.AbsolutePath) securityv1.Rules {
	return securityv1.Rules{File: securityv1.File{MatchPaths: []securityv1.FilePath{{Path: path}}}}
}

func processes(p securityv1.ProcessPath) securityv1.Rules {
	return securityv1.Rules{Process: securityv1.Process{MatchPaths: []securityv1.ProcessPath{p}}}
}

func pattern(glob securityv1.Glob) securityv1.Rules {
	return securityv1.Rules{File: securityv1.File{MatchPatterns: []securityv1.FilePattern{{Pattern: glob}}}}
}

func capability(name securityv1.Capability) securityv1.Rules {
	return securityv1.Rules{Capabilities: securityv1.Capabilities{MatchCapabilities: []securityv1.MatchCapability{{Capability: name}}}}
}

func domain(name string) securityv1.Rules {
	return securityv1.Rules{Network: securityv1.Network{MatchDNSQueries: []securityv1.DNSQuery{{Domain: name}}}}
}

func TestEveryWordOfTheSchemaIsKnown(t *testing.T) {
	for _, word := range []string{"tcp", "udp", "raw", "icmp", "icmpv6", "sctp", "stream", "dgram", "rdm", "seqpacket", "dccp", "packet", "all"} {
		if err := checkProtocol(word); err != nil {
			t.Errorf("%s %v", word, err)
		}
	}
	if got := len(Capabilities()); got != 41 || Capabilities()[40] != "checkpoint_restore" || Capabilities()[13] != "net_raw" {
		t.Errorf("%d capabilities, or out of order: %v", got, Capabilities())
	}
}

func TestOtherKinds(t *testing.T) {
	rules := securityv1.Rules{AppArmor: "deny /x r,\n"}
	csp := ClusterPolicy(&securityv1.KubeArmorClusterPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "c", Generation: 2},
		Spec:       securityv1.KubeArmorClusterPolicySpec{Rules: rules, Presets: []securityv1.Preset{{Name: "exec"}, {Name: "exek"}}},
	})
	hsp := HostPolicy(&securityv1.KubeArmorHostPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "h", Generation: 4},
		Spec: securityv1.KubeArmorHostPolicySpec{Rules: rules, Device: securityv1.Device{
			Report: securityv1.Report{Action: "Audit"}, MatchDevice: []securityv1.MatchDevice{{}},
		}},
	})
	want := []policy.Policy{
		{
			Ref: policy.Ref{Kind: policy.KindClusterPolicy, Name: "c"}, Generation: 2, AppArmor: "deny /x r,",
			Rules:    []policy.Rule{{At: "spec.presets[0]", Action: policy.ActionBlock, Preset: "exec"}},
			Problems: []policy.Problem{{At: "spec.presets[1]", Message: `name "exek" is unknown; use protectEnv, filelessExec, exec, protectProc or anonymousMapExec`}},
		},
		{
			Ref: policy.Ref{Kind: policy.KindHostPolicy, Name: "h"}, Generation: 4, AppArmor: "deny /x r,",
			Rules: []policy.Rule{{At: "spec.device.matchDevice[0]", Domain: policy.DomainDevice, Action: policy.ActionAudit}},
		},
	}
	if diff := cmp.Diff(want, []policy.Policy{csp, hsp}); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
}

// FuzzPath: what is clean stays as it is, and is made of names that a file may have.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/", "//", "/a//b/", "/a/./b", "/..", "a", "", "/\xff", "/a\x00", "/" + strings.Repeat("n", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, read := range []func(string) (string, error){Path, Directory} {
			clean, err := read(path)
			if err != nil {
				continue
			}
			if again, err := read(clean); err != nil || again != clean {
				t.Errorf("%q became %q, which becomes %q (%v)", path, clean, again, err)
			}
			bad := slices.ContainsFunc(strings.Split(strings.Trim(clean, "/"), "/"), func(name string) bool {
				return clean != "/" && (name == "" || name == "." || name == ".." || len(name) > NameMax || strings.Contains(name, "\x00"))
			})
			if bad || len(clean) > PathMax || clean[0] != '/' {
				t.Errorf("%q became %q", path, clean)
			}
		}
	})
}
