// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/support"
)

// worst has in every field more than its bound of a given text.
func worst(text string) v1.NodeFacts {
	long := strings.Repeat(text, 1000)
	fact := v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonFactsSchemaUnknown, Cause: long}
	f := v1.NodeFacts{
		SchemaVersion: v1.FactsSchemaVersion,
		BootID:        strings.Repeat("b", 100), Kernel: strings.Repeat("k", 200), Arch: "amd64",
		Distribution: v1.Distribution{ID: strings.Repeat("I", 100), VersionID: strings.Repeat("V", 100), Name: long},
		BTF:          fact, BPFLSM: fact, Observe: fact, AppArmor: fact, Seccomp: fact, BPFFS: fact, SecurityFS: fact, AppArmorFS: fact,
		SELinux:       v1.SELinuxFact{Fact: fact, Mode: "permissive"},
		CgroupVersion: 2,
		Runtime: v1.RuntimeFact{
			Fact: fact, Name: strings.Repeat("n", 100), Version: strings.Repeat("v", 100),
			Socket: "/run/k3s/containerd/containerd.sock", NRISocket: "/run/nri/nri.sock",
		},
	}
	for range 40 {
		f.LSMs = append(f.LSMs, strings.Repeat("l", 40))
	}
	return f
}

func TestFactsAlwaysFitAndAreAccepted(t *testing.T) {
	for name, text := range map[string]string{
		"long ASCII":                  "x",
		"quotes, escaped in JSON":     `"\`,
		"four bytes a character":      "𝄞",
		"what HTML would escape":      "<&>",
		"control characters":          "\x00\x1b[31m\r\n",
		"broken UTF-8":                "\xff\xfe",
		"line separators":             "a\u2028\u2029b",
		"bidirectional overrides":     "\u202ea\u2066",
		"spaces of all kinds":         "a \t\u00a0\u3000",
		"combining marks and a joint": "e\u0301\u200d",
	} {
		t.Run(name, func(t *testing.T) {
			f := fit(sanitize(worst(text)))
			b, err := Encode(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > v1.MaxFactsBytes {
				t.Fatalf("%d bytes", len(b))
			}
			got, reason, err := support.DecodeFacts(b)
			if err != nil {
				t.Fatalf("%s: %v", reason, err)
			}
			if diff := cmp.Diff(&f, got); diff != "" {
				t.Errorf("facts (-written +read):\n%s", diff)
			}
		})
	}
}

func TestCausesThatMatterMostAreShortenedLast(t *testing.T) {
	f := fit(sanitize(worst("x")))
	if len(f.BPFLSM.Cause) < len(f.Observe.Cause) || len(f.Observe.Cause) < len(f.AppArmorFS.Cause) || len(f.BPFLSM.Cause) == 0 {
		t.Errorf("bpfLSM %d, observe %d, appArmorFS %d characters", len(f.BPFLSM.Cause), len(f.Observe.Cause), len(f.AppArmorFS.Cause))
	}
	one := v1.NodeFacts{BPFLSM: v1.Fact{Cause: strings.Repeat("x", maxCause)}}
	if diff := cmp.Diff(one, fit(one)); diff != "" {
		t.Errorf("facts that fit were changed (-want +got):\n%s", diff)
	}
}

func TestEncodeRefusesFactsThatAreTooLong(t *testing.T) {
	if b, err := Encode(worst("x")); err == nil {
		t.Errorf("%d bytes were accepted", len(b))
	}
}

func TestWriteTerminationReplacesTheWholeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(file, []byte(strings.Repeat("old", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	f := fit(sanitize(worst("x")))
	if err := WriteTermination(file, f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, reason, err := support.DecodeFacts(b); err != nil {
		t.Errorf("%s: %v", reason, err)
	}
	if err := WriteTermination(filepath.Join(file, "x"), f); err == nil {
		t.Error("a path below a file was accepted")
	}
}
