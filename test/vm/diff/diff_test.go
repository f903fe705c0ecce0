// SPDX-License-Identifier: Apache-2.0

// Package diff is a small make diff-vm: some hundred real operations on one real kernel, against the reference model.
package diff

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/diffvm/machine"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

// TestTheKernelDoesWhatTheModelSays runs on the last of VM_KERNELS; make diff-vm is for the others, and for more.
func TestTheKernelDoesWhatTheModelSays(t *testing.T) {
	kernels := strings.Fields(cmp.Or(os.Getenv("VM_KERNELS"), "6.12/amd64"))
	version, arch, found := strings.Cut(kernels[len(kernels)-1], "/")
	if !found {
		t.Fatalf("VM_KERNELS: %q is not KERNEL/ARCH, such as 6.12/arm64", kernels[len(kernels)-1])
	}
	store, err := cache.Open(filepath.Join("..", "..", "..", ".cache", "testbed"), progress.New(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	var out, console vm.Output
	result, err := machine.Campaign{
		Cache: store, Kernel: version, Arch: arch, Operations: 600, Each: 40, Seed: 1, Timeout: 10 * time.Minute, Out: &out, Console: &console,
	}.Run(t.Context())
	t.Log(out.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, console.String())
	}
	if result.Operations < 600 {
		t.Errorf("only %d operations were tried", result.Operations)
	}
	if strings.Contains(console.String(), "Oops") || strings.Contains(console.String(), "WARNING:") {
		t.Errorf("the kernel complained:\n%s", console.String())
	}
}
