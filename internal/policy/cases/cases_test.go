// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

const head = "apiVersion: karmor.kubearmor.com/v1\nkind: PolicyTest\n"

func TestAMistakeInATestIsNamedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown operation": {
			head + "cases:\n- name: a\n  op: fly\n  expect: Block\n",
			"t.yaml:4: op: \"fly\" is not one of exec, read, write, create, delete, rename, link, chmod, socket, bind, listen, " +
				"connect, accept, sendmsg, capable, dns, syscall, map, ptrace",
		},
		"no path": {head + "cases:\n- {name: a, op: exec, expect: Block}\n", "t.yaml:4: path: is missing; exec needs the whole path of the file"},
		"a path that is no whole one": {
			head + "cases:\n- {name: a, op: read, path: etc, expect: Block}\n",
			`t.yaml:4: path: "etc" does not start with "/"; write the whole path, as the container sees it`,
		},
		"a path that the kernel never reports": {
			head + "cases:\n- {name: a, op: read, path: /etc/../x, expect: Block}\n",
			`t.yaml:4: path: "/etc/../x" has a ".." component, which the kernel never reports; write the path without it`,
		},
		"a rename without its second path": {
			head + "cases:\n- {name: a, op: rename, path: /a, expect: Block}\n",
			"t.yaml:4: newPath: is missing; rename needs the path before and the one after",
		},
		"a second path without a rename": {
			head + "cases:\n- {name: a, op: read, path: /a, newPath: /b, expect: Block}\n",
			"t.yaml:4: newPath: has no meaning for read; only rename and link have one",
		},
		"an unknown protocol": {
			head + "cases:\n- {name: a, op: connect, protocol: all, expect: Block}\n",
			`t.yaml:4: protocol: "all" is not one of tcp, udp, icmp, icmpv6, sctp, dccp, raw, packet, stream, dgram, rdm, seqpacket`,
		},
		"an unknown capability": {
			head + "cases:\n- {name: a, op: capable, capability: fly, expect: Block}\n",
			`t.yaml:4: capability: "fly" is none; use a name of capabilities(7), for instance net_raw`,
		},
		"a name that nobody can look up": {
			head + "cases:\n- {name: a, op: dns, domain: a..b, expect: Block}\n",
			`t.yaml:4: domain: "a..b" has an empty label; write a name such as example.com`,
		},
		"an unknown verdict": {
			head + "cases:\n- {name: a, op: exec, path: /a, expect: Deny}\n",
			`t.yaml:4: expect: "Deny" is not one of Allow, Audit, Block`,
		},
		"an unknown field of what is expected": {
			head + "cases:\n- name: a\n  op: exec\n  path: /a\n  expect:\n    verdikt: Block\n",
			"t.yaml:8: unknown field verdikt in expect; expected one of verdict, policy, rule",
		},
		"an unknown field of a case, in the second document": {
			"kind: other\n---\n" + head + "cases:\n- name: a\n  operation: exec\n",
			"t.yaml:7: operation: unknown field; see docs/policies.md for what a PolicyTest may hold",
		},
		"a case without a name":   {head + "cases:\n- {op: exec, path: /a, expect: Block}\n", "t.yaml:4: name: is missing; say in a few words what must hold"},
		"no case":                 {head, "t.yaml:1: cases: is empty; write at least one case"},
		"another version":         {"kind: PolicyTest\ncases: [{name: a, op: exec, path: /a, expect: Block}]\n", `t.yaml:1: apiVersion: "" has no kind PolicyTest; write apiVersion: karmor.kubearmor.com/v1`},
		"an unknown posture":      {head + "posture: {file: deny}\ncases: [{name: a, op: exec, path: /a, expect: Block}]\n", `t.yaml:1: posture: file: "deny" is not one of block, audit, allow`},
		"a domain without one":    {head + "posture: {disk: block}\ncases: [{name: a, op: exec, path: /a, expect: Block}]\n", `t.yaml:1: posture: "disk" is not one of capabilities, file, network`},
		"a container of the host": {head + "workload: {host: true, container: a}\ncases: [{name: a, op: exec, path: /a, expect: Block}]\n", "t.yaml:1: container: has no meaning for the host; leave it out"},
	} {
		t.Run(name, func(t *testing.T) {
			tests, problems := Read("t.yaml", []byte(c.text))
			if len(problems) != 1 || len(tests) != 0 {
				t.Fatalf("%d problems %v, and %d tests", len(problems), problems, len(tests))
			}
			if diff := cmp.Diff(c.want, problems[0].String()); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
}

const policies = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  process: {matchPaths: [{path: /bin/sh}]}
---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: nameless}
spec:
  file: {action: Allow, matchDirectories: [{dir: /srv/, recursive: true, ownerOnly: true}]}
---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata: {name: host}
spec:
  nodeSelector: {matchLabels: {role: edge}}
  file: {matchPaths: [{path: /etc/passwd, readOnly: true}]}
`

func TestCasesAreJudgedByTheModel(t *testing.T) {
	reader, err := document.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	documents := reader.Read("p.yaml", []byte(policies))
	for name, c := range map[string]struct {
		test string
		want Verdict
	}{
		"a rule of a policy that selects the workload": {
			"workload: {namespace: shop, labels: {app: web}}\ncases: [{name: a, op: exec, path: /bin/sh, expect: Block}]",
			Verdict{Verdict: "Block", Policy: "web", Rule: "spec.process.matchPaths[0]"},
		},
		"a policy without a namespace has the workload's": {
			"workload: {namespace: shop}\nposture: {file: block}\ncases: [{name: a, op: read, path: /a, expect: Block}]",
			Verdict{Verdict: "Block", Policy: "DefaultPosture"},
		},
		"the namespace is default unless set": {
			"cases: [{name: a, op: write, path: /srv/a, uid: 7, owner: 7, expect: Allow}]",
			Verdict{Verdict: "Allow", Policy: "nameless", Rule: "spec.file.matchDirectories[0]"},
		},
		"what is created has no owner yet": {
			"cases: [{name: a, op: create, path: /srv/a, uid: 7, owner: 0, expect: Allow}]",
			Verdict{Verdict: "Allow", Policy: "nameless", Rule: "spec.file.matchDirectories[0]"},
		},
		"a workload and a posture of one case": {
			"workload: {namespace: kube-system}\nposture: {file: allow}\ncases: [{name: a, op: read, path: /a, posture: {file: audit}, workload: {namespace: shop}, expect: Audit}]",
			Verdict{Verdict: "Audit", Policy: "DefaultPosture"},
		},
		"the host": {
			"workload: {host: true, labels: {role: edge}}\ncases: [{name: a, op: write, path: /etc/passwd, expect: Block}]",
			Verdict{Verdict: "Block", Policy: "host", Rule: "spec.file.matchPaths[0]"},
		},
		"an annotation of the Pod": {
			"workload: {namespace: shop, labels: {app: web}, annotations: {kubearmor-policy: audited}}\ncases: [{name: a, op: exec, path: /bin/sh, expect: Audit}]",
			Verdict{Verdict: "Audit", Policy: "web", Rule: "spec.process.matchPaths[0]"},
		},
		"a system namespace": {
			"workload: {namespace: kube-system}\ncases: [{name: a, op: read, path: /a, expect: Allow}]",
			Verdict{Verdict: "Allow"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tests, problems := Read("t.yaml", []byte(head+c.test))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			results := tests[0].Run(documents, nil)
			got := results[0].Got
			if got.Reason == "" || !results[0].Passed {
				t.Errorf("passed %v, reason %q", results[0].Passed, got.Reason)
			}
			if got.Policy == "nameless" && got.Ref.Namespace != "default" {
				t.Errorf("the policy is %s", got.Ref)
			}
			got.Reason, got.Ref = "", c.want.Ref
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACaseFailsByVerdictPolicyAndRule(t *testing.T) {
	got := Verdict{Verdict: "Block", Policy: "p", Rule: "r"}
	for _, e := range []Expectation{{Verdict: "Block"}, {"Block", "p", ""}, {"Block", "p", "r"}} {
		if !e.met(got) {
			t.Errorf("%+v is not met", e)
		}
	}
	for _, e := range []Expectation{{Verdict: "Audit"}, {"Block", "q", ""}, {"Block", "p", "s"}} {
		if e.met(got) {
			t.Errorf("%+v is met", e)
		}
	}
}

func TestEveryOperationOfTheModelCanBeWritten(t *testing.T) {
	o := Operation{Path: "/a", Protocol: "TCP", Capability: "CAP_NET_RAW", Domain: "Example.com.", Syscall: "unlink", Source: "/s"}
	for _, kind := range model.Kinds() {
		o.Op, o.NewPath = string(kind), ""
		if kind == model.Rename || kind == model.Link {
			o.NewPath = "/b"
		}
		op, err := o.Model()
		if err != nil || op.Kind != kind || op.Check() != nil {
			t.Errorf("%s: %+v, %v, %v", kind, op, err, op.Check())
		}
		if kind == model.Capable && op.Capability != "net_raw" || kind == model.DNS && op.Name != "example.com" {
			t.Errorf("%s: %+v", kind, op)
		}
	}
}
