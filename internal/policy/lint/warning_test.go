// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
)

// spec of a policy, in YAML.
func spec(t *testing.T, text string) *securityv1.KubeArmorPolicy {
	t.Helper()
	p := &securityv1.KubeArmorPolicy{}
	p.Namespace, p.Name = "shop", "p"
	if err := yaml.UnmarshalStrict([]byte(text), &p.Spec); err != nil {
		t.Fatal(err)
	}
	return p
}

// files that every program reads, so that an allow-list forgets nothing.
const system = `{dir: /usr/lib/, recursive: true, readOnly: true, action: Allow}, {dir: /etc/, readOnly: true, action: Allow}, ` +
	`{dir: /usr/bin/, readOnly: true, action: Allow}`

func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		spec string
		want []string
	}{
		"rules that each decide something": {
			`file: {matchPaths: [{path: /a}, {path: /a, action: Audit, fromSource: [{path: /b}]}, {path: /b, readOnly: true}],
				matchDirectories: [{dir: /d/}, {dir: /d/, recursive: true, action: Audit}, {dir: /d/e/, action: Audit}], matchPatterns: [{pattern: "/d/*.x", action: Audit}]}`,
			nil,
		},
		"a weaker rule of the same path never decides": {
			`file: {matchPaths: [{path: /a, action: Audit}, {path: /a}]}`,
			[]string{"spec.file.matchPaths[0] is unreachable: spec.file.matchPaths[1] is as specific, and Block wins over Audit; remove one of the two"},
		},
		"a weaker rule of some of the same sources never decides": {
			`process: {matchPaths: [{path: /a, action: Audit, fromSource: [{path: /s}]}, {path: /a, fromSource: [{path: /t}, {path: /s}]}]}`,
			[]string{"spec.process.matchPaths[0] is unreachable: spec.process.matchPaths[1] is as specific, and Block wins over Audit; remove one of the two"},
		},
		"a weaker rule of one source more still decides": {
			`process: {matchPaths: [{path: /a, action: Audit, fromSource: [{path: /s}, {path: /t}]}, {path: /a, fromSource: [{path: /s}]}]}`,
			nil,
		},
		"a rule with a condition leaves something to a weaker one": {
			`file: {matchPaths: [{path: /a, action: Audit}, {path: /a, readOnly: true}]}`,
			nil,
		},
		"a plain directory under a stronger recursive rule of the same directory": {
			`file: {matchDirectories: [{dir: /d/, action: Audit}, {dir: /d/, recursive: true}]}`,
			[]string{"spec.file.matchDirectories[0] is unreachable: spec.file.matchDirectories[1] is as specific, and Block wins over Audit; remove one of the two"},
		},
		"the same rule twice": {
			`capabilities: {matchCapabilities: [{capability: net_raw}, {capability: net_raw}]}`,
			[]string{"spec.capabilities.matchCapabilities[1] is redundant: spec.capabilities.matchCapabilities[0] says the same; remove one of the two"},
		},
		"a condition that another rule makes meaningless": {
			`file: {matchPaths: [{path: /a, readOnly: true}, {path: /a}]}`,
			[]string{"spec.file.matchPaths[0] is redundant: spec.file.matchPaths[1] says the same; remove one of the two"},
		},
		"a pattern that is a path which another rule names": {
			`file: {matchPaths: [{path: /etc/shadow}], matchPatterns: [{pattern: "/etc/{shadow,shadow}", action: Audit}]}`,
			[]string{"spec.file.matchPatterns[0] is shadowed: spec.file.matchPaths[0] matches all of it and is more specific; remove one of the two"},
		},
		"a directory below a pattern that has all of it": {
			`file: {matchDirectories: [{dir: /var/log/, recursive: true, action: Audit}], matchPatterns: [{pattern: "/var/**"}]}`,
			[]string{"spec.file.matchDirectories[0] is shadowed: spec.file.matchPatterns[0] matches all of it and is more specific; remove one of the two"},
		},
		"a directory with sources outranks a pattern": {
			`file: {matchDirectories: [{dir: /var/log/, recursive: true, action: Audit, fromSource: [{path: /s}]}], matchPatterns: [{pattern: "/var/**"}]}`,
			nil,
		},
		"a pattern within a stronger pattern": {
			`file: {matchPatterns: [{pattern: "/a/*.conf", action: Audit}, {pattern: "/a/*"}]}`,
			[]string{"spec.file.matchPatterns[0] is unreachable: spec.file.matchPatterns[1] is as specific, and Block wins over Audit; remove one of the two"},
		},
		"a pattern for a base name that execname has": {
			`process: {matchPaths: [{execname: nc}], matchPatterns: [{pattern: "/**/nc", action: Audit}]}`,
			[]string{"spec.process.matchPatterns[0] is shadowed: spec.process.matchPaths[0] matches all of it and is more specific; remove one of the two"},
		},
		"protocols are compared without their case": {
			`network: {matchProtocols: [{protocol: UDP, action: Audit}, {protocol: udp}]}`,
			[]string{"spec.network.matchProtocols[0] is unreachable: spec.network.matchProtocols[1] is as specific, and Block wins over Audit; remove one of the two"},
		},
		"an Allow rule that never decides still makes an allow-list": {
			`process: {matchPaths: [{path: /a, action: Allow}, {path: /a}]}`,
			[]string{"spec.process.matchPaths[0] is unreachable: spec.process.matchPaths[1] is as specific, and Block wins over Allow; " +
				"remove one of the two, but mind that it alone makes process an allow-list"},
		},
		"a rule that can never match": {
			`file: {matchPaths: [{path: /a/../b}]}`,
			[]string{`spec.file.matchPaths[0] means nothing: path "/a/../b" has a ".." component, which the kernel never reports; write the path without it`},
		},
		"a script without its interpreter": {
			`process: {matchPaths: [{path: /opt/backup.sh, action: Allow}, {path: /opt/report.py, action: Allow}, {path: /usr/bin/python3.12, action: Allow}]}`,
			[]string{"spec.process.matchPaths[0] allows the script backup.sh, and no rule allows its interpreter, which is executed too; add for instance /bin/sh"},
		},
		"an entrypoint without a shell": {
			`process: {matchPaths: [{path: /docker-entrypoint, action: Allow}, {execname: sh}]}`,
			[]string{"spec.process.matchPaths[0] allows the script docker-entrypoint, and no rule allows its interpreter, which is executed too; add for instance /bin/sh"},
		},
		"a script with its interpreter": {
			`process: {matchPaths: [{path: /opt/backup.sh, action: Allow}], matchDirectories: [{dir: /usr/bin/, action: Allow}]}`,
			nil,
		},
		"a script that is only blocked": {`process: {matchPaths: [{path: /opt/backup.sh}]}`, nil},
		"what an allow-list starts from a program that it does not let start": {
			`process: {matchPaths: [{path: /usr/bin/curl, action: Allow, fromSource: [{path: /usr/bin/app}]}]}`,
			[]string{"spec.process.matchPaths[0] is for what /usr/bin/app starts, and no rule allows /usr/bin/app itself to be executed; add a rule for it"},
		},
		"an allow-list of files without what programs need": {
			`file: {matchDirectories: [{dir: /srv/, action: Allow}]}`,
			[]string{"spec.file.matchDirectories[0] makes file an allow-list that forgets the loader and libraries (/lib/, /lib64/, /usr/lib/), " +
				"and /etc/ld.so.cache, and the programs themselves (/usr/bin/, …; executing a file reads it); allow what the workload reads with readOnly: true"},
		},
		"an allow-list of files with all of it": {`file: {matchDirectories: [{dir: /srv/, action: Allow}, ` + system + `]}`, nil},
		"an allow-list of files that is everything but one": {
			`file: {matchPatterns: [{pattern: "/**", action: Allow}], matchPaths: [{path: /etc/shadow}]}`,
			nil,
		},
		"a preset that allows": {
			`presets: [{name: exec}, {name: protectEnv, action: Allow}]`,
			[]string{"spec.presets[1] does nothing: a preset allows nothing, and takes nothing out of another policy's; give it the action Block or Audit, or remove it"},
		},
		"an allow-list of the network without names": {
			`network: {matchProtocols: [{protocol: tcp, action: Allow}]}`,
			[]string{"spec.network.matchProtocols[0] makes network an allow-list that forgets udp, without which no name is looked up; add protocol: udp if the workload needs it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range Warnings(parse.KubeArmorPolicy(spec(t, c.spec))) {
				got = append(got, w.Rule+" "+w.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarningsAreInTheOrderOfTheRules(t *testing.T) {
	p := &securityv1.KubeArmorPolicy{}
	for range 11 {
		p.Spec.File.MatchPaths = append(p.Spec.File.MatchPaths, securityv1.FilePath{Path: "/a"})
	}
	p.Spec.File.MatchPaths = append(p.Spec.File.MatchPaths, securityv1.FilePath{Path: "/never/.."})
	var got []string
	for _, w := range Warnings(parse.KubeArmorPolicy(p)) {
		got = append(got, w.Rule)
	}
	var want []string
	for i := 1; i < 12; i++ {
		want = append(want, fmt.Sprintf("spec.file.matchPaths[%d]", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestBigPoliciesAreCheckedInSeconds: 10,000 rules, a third of each kind. It takes about two; a machine under load gets more.
func TestBigPoliciesAreCheckedInSeconds(t *testing.T) {
	p := policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "shop", Name: "big"}}
	for i := range 10_000 {
		r := policy.Rule{At: fmt.Sprintf("spec.process.matchPaths[%d]", i), Domain: policy.DomainProcess, Action: policy.ActionAllow}
		switch i % 3 {
		case 0:
			r.Path = fmt.Sprintf("/opt/%d/run.sh", i)
		case 1:
			r.Directory, r.Action = fmt.Sprintf("/opt/%d/", i-1), policy.ActionBlock
		default:
			r.Pattern = fmt.Sprintf("/opt/%d/*.py", i)
		}
		if i%7 == 0 {
			r.Sources = []policy.Source{{Path: fmt.Sprintf("/usr/bin/%d", i)}}
		}
		p.Rules = append(p.Rules, r)
	}
	begin := time.Now()
	warnings := Warnings(p)
	exceptions := inAppArmor(p)
	if took := time.Since(begin); took > time.Minute || len(warnings) == 0 || len(exceptions) == 0 {
		t.Errorf("%v for %d warnings and %d exceptions", took, len(warnings), len(exceptions))
	}
}

func TestExpressible(t *testing.T) {
	p := spec(t, `
process: {matchPaths: [{path: /usr/bin/apt, action: Allow, allowedArgs: [update]}, {execname: nc, pts: false}], matchDirectories: [{dir: /usr/bin/}]}
file: {matchPatterns: [{pattern: "/home/*/x", ownerOnly: true}]}
network: {matchProtocols: [{protocol: tcp}, {protocol: icmp}], matchDNSQueries: [{domain: example.com}]}
capabilities: {matchCapabilities: [{capability: net_raw}]}
syscalls: {matchSyscalls: [{syscall: [unlink]}]}
presets: [{name: filelessExec}]
apparmor: "/x r,"
`)
	var got []string
	for _, u := range Expressible(parse.KubeArmorPolicy(p), compile.Everything()) {
		if u.Message == "" {
			t.Errorf("%+v has no message", u)
		}
		if u.Backend != BPF {
			got = append(got, strings.Join([]string{string(u.Backend), u.Rule, string(u.Reason)}, " "))
		}
	}
	want := []string{
		"apparmor spec.file.matchPatterns[0] OwnerOnlyUnsupported",
		"apparmor spec.network.matchDNSQueries[0] DNSUnsupported",
		"apparmor spec.network.matchProtocols[1] NetworkUnsupported",
		"apparmor spec.presets[0] PresetUnsupported",
		"apparmor spec.process.matchPaths[0] ArgumentsUnsupported",
		"apparmor spec.process.matchPaths[0] ExceptionUnsupported",
		"apparmor spec.process.matchPaths[1] TerminalUnsupported",
		"apparmor spec.syscalls.matchSyscalls[0] SyscallsUnsupported",
		"selinux spec.apparmor AppArmorUnsupported",
		"selinux spec.file.matchPatterns[0] OwnerOnlyUnsupported",
		"selinux spec.file.matchPatterns[0] PatternUnsupported",
		"selinux spec.network.matchDNSQueries[0] DNSUnsupported",
		"selinux spec.network.matchProtocols[1] NetworkUnsupported",
		"selinux spec.presets[0] PresetUnsupported",
		"selinux spec.process.matchPaths[0] ArgumentsUnsupported",
		"selinux spec.process.matchPaths[1] TerminalUnsupported",
		"selinux spec.process.matchPaths[1] ExecNameUnsupported",
		"selinux spec.syscalls.matchSyscalls[0] SyscallsUnsupported",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unsupported (-want +got):\n%s", diff)
	}
}
