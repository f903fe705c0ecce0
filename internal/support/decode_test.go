// SPDX-License-Identifier: Apache-2.0

package support

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

func encoded(t testing.TB, f v1.NodeFacts) string {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDecodeFactsGivesBackWhatAProbeWrote(t *testing.T) {
	want := capable(failed(v1.ReasonAttachRefused, "attach lsm/file_open: „nicht unterstützt“ <&>"))
	got, reason, err := DecodeFacts([]byte(encoded(t, want)))
	if err != nil || reason != "" {
		t.Fatalf("reason %q, error %v", reason, err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestDecodeFactsRefusesForeignBytes(t *testing.T) {
	whole := encoded(t, capable())
	tests := []struct {
		name, in, reason, says string
	}{
		{"nothing", "", v1.ReasonFactsUnreadable, "empty"},
		{"white space", " \n", v1.ReasonFactsUnreadable, "empty"},
		{"cut JSON", whole[:len(whole)/2], v1.ReasonFactsUnreadable, "cut short"},
		{"a shell's words", "exec /agent: no such file or directory", v1.ReasonFactsUnreadable, "not the JSON"},
		{"JSON of something else", `{"hello":"world"}`, v1.ReasonFactsUnreadable, "schemaVersion is missing"},
		{"null", `null`, v1.ReasonFactsUnreadable, "schemaVersion is missing"},
		{"a list", `[]`, v1.ReasonFactsUnreadable, "not the JSON"},
		{"a newer schema", strings.Replace(whole, `"schemaVersion":1`, `"schemaVersion":2`, 1), v1.ReasonFactsSchemaUnknown, "schemaVersion 2"},
		{"a schema version that is no number", strings.Replace(whole, `"schemaVersion":1`, `"schemaVersion":"1"`, 1), v1.ReasonFactsUnreadable, "schemaVersion"},
		{"an unknown field", strings.Replace(whole, `{"schema`, `{"shell":true,"schema`, 1), v1.ReasonFactsUnreadable, `unknown field "shell"`},
		{"two objects", whole + whole, v1.ReasonFactsUnreadable, "not the JSON"},
		{"too many bytes", whole + strings.Repeat(" ", v1.MaxFactsBytes), v1.ReasonFactsUnreadable, "at most 4096"},
		{"bytes that are no text", whole[:len(whole)-1] + "\xff}", v1.ReasonFactsUnreadable, "not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, reason, err := DecodeFacts([]byte(tt.in))
			if f != nil || err == nil || reason != tt.reason {
				t.Fatalf("facts %v, reason %q, error %v; want %q and an error", f, reason, err, tt.reason)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
}

func TestDecodeFactsRefusesHostileValues(t *testing.T) {
	tests := map[string]struct {
		change func(*v1.NodeFacts)
		field  string
	}{
		"a state of its own":           {func(f *v1.NodeFacts) { f.BPFLSM.State = "Maybe" }, "bpfLSM.state"},
		"a missing state":              {func(f *v1.NodeFacts) { f.Runtime.State = "" }, "runtime.state"},
		"a reason with a space":        {func(f *v1.NodeFacts) { f.Observe.Reason = "It is broken" }, "observe.reason"},
		"a cause that moves a cursor":  {func(f *v1.NodeFacts) { f.BTF.Cause = "\x1b[2J" }, "btf.cause"},
		"a cause over its length":      {func(f *v1.NodeFacts) { f.BTF.Cause = strings.Repeat("x", 513) }, "btf.cause"},
		"a kernel with a newline":      {func(f *v1.NodeFacts) { f.Kernel = "6.1\n" }, "kernel"},
		"no kernel":                    {func(f *v1.NodeFacts) { f.Kernel = "" }, "kernel"},
		"a boot ID with a slash":       {func(f *v1.NodeFacts) { f.BootID = "../x" }, "bootID"},
		"an upper-case distribution":   {func(f *v1.NodeFacts) { f.Distribution.ID = "Debian" }, "distribution.id"},
		"a bidirectional override":     {func(f *v1.NodeFacts) { f.Distribution.Name = "a\u202eb" }, "distribution.name"},
		"33 LSMs":                      {func(f *v1.NodeFacts) { f.LSMs = strings.Split(strings.Repeat("x,", 32)+"x", ",") }, "lsms"},
		"an empty LSM":                 {func(f *v1.NodeFacts) { f.LSMs = []string{"bpf", ""} }, "lsms[1]"},
		"cgroup version 3":             {func(f *v1.NodeFacts) { f.CgroupVersion = 3 }, "cgroupVersion"},
		"a mode of its own":            {func(f *v1.NodeFacts) { f.SELinux.Mode = "off" }, "seLinux.mode"},
		"a socket that is a secret":    {func(f *v1.NodeFacts) { f.Runtime.Socket = "/etc/shadow" }, "runtime.socket"},
		"a socket that climbs":         {func(f *v1.NodeFacts) { f.Runtime.Socket = "/run/../root/x.sock" }, "runtime.socket"},
		"a socket that is the root":    {func(f *v1.NodeFacts) { f.Runtime.Socket = "/" }, "runtime.socket"},
		"an NRI socket with a newline": {func(f *v1.NodeFacts) { f.Runtime.NRISocket = "/run/nri.sock\n" }, "runtime.nriSocket"},
		"a runtime with a quote":       {func(f *v1.NodeFacts) { f.Runtime.Name = `con"tainerd` }, "runtime.name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, reason, err := DecodeFacts([]byte(encoded(t, capable(tt.change))))
			if err == nil || reason != v1.ReasonFactsUnreadable {
				t.Fatalf("reason %q, error %v; want FactsUnreadable", reason, err)
			}
			if !strings.HasPrefix(err.Error(), "facts: "+tt.field) {
				t.Errorf("error %q does not name %s", err, tt.field)
			}
		})
	}
}

func FuzzDecodeFacts(f *testing.F) {
	f.Add([]byte(encoded(f, capable())))
	f.Add([]byte(encoded(f, capable(failed(v1.ReasonVerifierRejected, "R1 type=ctx")))))
	f.Add([]byte(`{"schemaVersion":2}`))
	f.Add([]byte(`{"schemaVersion":1,"bootID":`))
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, reason, err := DecodeFacts(b)
		if (err == nil) != (facts != nil) || (err == nil) != (reason == "") {
			t.Fatalf("facts %v, reason %q, error %v do not agree", facts, reason, err)
		}
		if err != nil {
			return
		}
		checkBounds(t, Decide(*facts))
	})
}
