// SPDX-License-Identifier: Apache-2.0

// Package probe looks at machines of different kinds with the real karmor and checks what it believes.
package probe

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Environment of the tests.
const (
	// envKernels restricts the machines, as in '5.10/amd64 6.12/arm64'.
	envKernels = "VM_KERNELS"
	// envBin is the folder of the product's binaries, by architecture; the project's own unless set.
	envBin = "VM_BIN"
)

// modules that every machine here activates; the tests add others.
const modules = "landlock,lockdown,yama,integrity"

// report is what `karmor probe --local -o json` prints.
type report struct {
	v1.NodeFacts
	Verdict v1.Verdict `json:"verdict"`
}

// believed is the part of a report that a machine's kind determines.
type believed struct {
	BPFLSM, BPFReason          string
	Observe, AppArmor, SELinux string
	Enforcer                   v1.Enforcer
	Reason                     string
}

func believes(r report) believed {
	return believed{
		BPFLSM: string(r.BPFLSM.State), BPFReason: r.BPFLSM.Reason,
		Observe: string(r.Observe.State), AppArmor: string(r.AppArmor.State), SELinux: r.SELinux.Mode,
		Enforcer: r.Verdict.Enforcer, Reason: r.Verdict.Reason,
	}
}

func TestProbeBelievesOnlyWhatItSaw(t *testing.T) {
	enforcing := believed{"Yes", "", "Yes", "Yes", "disabled", v1.EnforcerBPF, v1.ReasonEnforcing}
	tests := []struct {
		name, kernel, arch, lsm string
		want                    believed
		causes                  []string
	}{
		{
			"a kernel that lists bpf and cannot attach is not BPF-LSM's", "6.1", "arm64", modules + ",apparmor,bpf",
			believed{"No", v1.ReasonAttachRefused, "Yes", "Yes", "disabled", v1.EnforcerNone, v1.ReasonAttachRefused},
			[]string{"not supported"},
		},
		{
			"a kernel that would never call the programs is not tried", "6.1", "amd64", modules + ",apparmor",
			believed{"No", v1.ReasonLSMInactive, "Yes", "Yes", "disabled", v1.EnforcerNone, v1.ReasonLSMInactive},
			[]string{"bpf is not among them"},
		},
		{
			"SELinux without a policy is permissive, and AppArmor is away", "6.12", "amd64", modules + ",selinux",
			believed{"No", v1.ReasonLSMInactive, "Yes", "No", "permissive", v1.EnforcerNone, v1.ReasonLSMInactive},
			[]string{"bpf is not among them"},
		},
		{"5.10 enforces on amd64", "5.10", "amd64", modules + ",apparmor,bpf", enforcing, nil},
		{"6.12 enforces on amd64", "6.12", "amd64", modules + ",apparmor,bpf", enforcing, nil},
		{"6.12 enforces on arm64", "6.12", "arm64", modules + ",apparmor,bpf", enforcing, nil},
		{"7.2 enforces on amd64", "7.2", "amd64", modules + ",apparmor,bpf", enforcing, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if only := strings.Fields(os.Getenv(envKernels)); len(only) > 0 && !slices.Contains(only, tt.kernel+"/"+tt.arch) {
				t.Skipf("%s does not name %s/%s", envKernels, tt.kernel, tt.arch)
			}
			got := probe(t, tt.kernel, tt.arch, tt.lsm)
			if diff := cmp.Diff(tt.want, believes(got)); diff != "" {
				t.Errorf("believed (-want +got):\n%s\nbpfLSM: %+v\nobserve: %+v\nappArmor: %+v\n%s",
					diff, got.BPFLSM, got.Observe, got.AppArmor, got.Verdict.Message)
			}
			for _, cause := range tt.causes {
				if !strings.Contains(got.BPFLSM.Cause, cause) {
					t.Errorf("cause %q does not say %q", got.BPFLSM.Cause, cause)
				}
			}
			if got.Kernel == "" || got.Arch != tt.arch || got.BootID == "" || got.CgroupVersion != 2 {
				t.Errorf("kernel %q, arch %q, boot ID %q, cgroup v%d", got.Kernel, got.Arch, got.BootID, got.CgroupVersion)
			}
		})
	}
}

// probe boots a machine and lets karmor look at it. The profile of its AppArmor canary must be gone afterwards.
func probe(t *testing.T, kernel, arch, lsm string) report {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := os.Getenv(envBin)
	if bin == "" {
		bin = filepath.Join(root, "bin")
	}
	command := `karmor probe --local -o json && ! grep -s kubearmor /sys/kernel/security/apparmor/profiles >&2`
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "testbed"),
		"vm", "--kernel", kernel, "--arch", arch, "--lsm", lsm, "--bin", bin, "--timeout", "5m", "--", command)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("probe %s/%s: %v\n%s\n%s", kernel, arch, err, out, stderr.Bytes())
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("probe %s/%s printed %q: %v", kernel, arch, out, err)
	}
	return r
}
