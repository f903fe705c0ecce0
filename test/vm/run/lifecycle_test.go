// SPDX-License-Identifier: Apache-2.0

package run

import (
	"cmp"
	"os"
	"strings"
	"testing"
)

// TestRunIsAGoodParent runs testdata/lifecycle/check.sh, which says what it checks.
func TestRunIsAGoodParent(t *testing.T) {
	for _, kernel := range strings.Fields(cmp.Or(os.Getenv("VM_KERNELS"), defaultKernels)) {
		t.Run(kernel, func(t *testing.T) {
			m := newMachine(t, kernel)
			t.Log(m.shell(t, lsm, "sh "+m.policies+"/lifecycle/check.sh"))
		})
	}
}

// TestRunSaysWhyItCannot: without bpf in the kernel's list, programs are loaded, attached, and never called.
func TestRunSaysWhyItCannot(t *testing.T) {
	m := newMachine(t, "6.12/amd64")
	out := m.shell(t, "lockdown,yama", "karmor run -f "+m.policies+"/exact.yaml -- echo started 2>&1; echo $?")
	const begin, end = "karmor: BPF-LSM is not active: the kernel's list is lockdown,capability,yama", ",bpf\n125\n"
	if !strings.HasPrefix(out, begin) || !strings.HasSuffix(out, end) || !strings.Contains(out, "; boot with lsm=lockdown,") {
		t.Errorf("it says %q", out)
	}
}
