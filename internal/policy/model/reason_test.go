// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestReasonsAreSentences(t *testing.T) {
	tests := []struct {
		rules              []string
		operation, reasons string
	}{
		{[]string{"file Block path /a readOnly"}, "write /a", "the exact path rule 0 of KubeArmorPolicy shop/p denies writes (readOnly)"},
		{[]string{"file Block path /a readOnly"}, "read /a", "the exact path rule 0 of KubeArmorPolicy shop/p spares reads (readOnly)"},
		{[]string{"file Allow tree /a/ readOnly from /x"}, "read /a/b by /x", "the recursive directory and source rule 0 of KubeArmorPolicy shop/p allows reads (readOnly)"},
		{[]string{"file Audit dir /a/"}, "write /a/b", "the directory rule 0 of KubeArmorPolicy shop/p audits it"},
		{
			[]string{"process Block execname a ownerOnly noTerminal args -v"},
			"exec /a uid 1 terminal args -v,-x",
			`the execname rule 0 of KubeArmorPolicy shop/p denies users other than the file's owner (ownerOnly) and processes with a terminal (pts: false) and the argument "-x" (allowedArgs)`,
		},
		{[]string{"file Allow pattern /a readOnly"}, "write /a", "the pattern rule 0 of KubeArmorPolicy shop/p allows only reads (readOnly), and file is an allow-list with the posture audit"},
		{[]string{"network Allow protocol tcp"}, "connect udp", "no rule allows it, and network is an allow-list with the posture audit"},
		{[]string{"dns Block name a"}, "dns b", "no rule matches it, and no Allow rule makes its domain an allow-list"},
		{[]string{"file Block path /a/b"}, "rename /a to /c directory", "the exact path rule 0 of KubeArmorPolicy shop/p names something in this directory, and would lose it"},
		{[]string{"process Block path /a args -v"}, "link /a to /c", "the exact path rule 0 of KubeArmorPolicy shop/p denies any arguments that it may get (allowedArgs)"},
		{[]string{"file Block path /a"}, "read unresolved", "the kernel cannot tell its path, and a rule of its domain blocks"},
	}
	for _, tt := range tests {
		v := workload(t, tt.rules...).Judge(operation(t, tt.operation))
		if diff := cmp.Diff(tt.reasons, v.Reason); diff != "" {
			t.Errorf("%s: reason (-want +got):\n%s", tt.operation, diff)
		}
	}
}

func TestAnAuditedVerdictSaysWhyItIsNone(t *testing.T) {
	for _, line := range []string{"file Block path /a", "file Allow path /b"} {
		w := workload(t, line)
		w.Policies[0].AuditOnly = true
		posture(policy.PostureBlock)(&w)
		if v := w.Judge(operation(t, "read /a")); v.Action != policy.ActionAudit || !strings.HasSuffix(v.Reason, "annotated kubearmor-policy: audited") {
			t.Errorf("%s: %+v", line, v)
		}
	}
}

func TestAVerdictCarriesWhatAnAlertSays(t *testing.T) {
	w := workload(t, "file Block path /a severity 7")
	w.Policies[0].Policy.Rules[0].Tags, w.Policies[0].Policy.Rules[0].Message = []string{"MITRE"}, "no"
	want := Verdict{
		Action: policy.ActionBlock, Policy: "KubeArmorPolicy shop/p", Ref: w.Policies[0].Policy.Ref, Rule: "0",
		Reason: "the exact path rule 0 of KubeArmorPolicy shop/p denies it", Severity: 7, Tags: []string{"MITRE"}, Message: "no",
	}
	if diff := cmp.Diff(want, w.Judge(operation(t, "read /a"))); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

func TestOperationsThatNoKernelReports(t *testing.T) {
	tests := map[string]struct {
		operation Operation
		says      string
	}{
		"an unknown kind": {Operation{Kind: "fly"}, `operation "fly" is unknown; use one of [exec read`},
		"a relative path": {Operation{Kind: Read, Path: "a"}, `path "a": does not start with "/"`},
		"no path":         {Operation{Kind: Exec}, `path "": does not start with "/"`},
		"dots":            {Operation{Kind: Rename, Path: "/a", NewPath: "/a/../b"}, `path "/a/../b": has a ".." component`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := tt.operation.Check(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error = %v, want one with %q", err, tt.says)
			}
		})
	}
}
