// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/kubearmor/kubearmor-operator/test/bench/report"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

// modules of the machine: the list of a node of Debian's, and the core's.
const lsm = "landlock,lockdown,yama,integrity,apparmor,bpf"

// runMachine boots a machine with one processor, has the guest measure there, and fills in the report.
func (f flags) runMachine(ctx context.Context, store *cache.Cache, r *report.Report) error {
	dir, err := store.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	guest := filepath.Join(dir, "guest")
	if err := build(ctx, guest, "./test/bench/guest"); err != nil {
		return err
	}
	var out bytes.Buffer
	code, err := vm.Command{
		Cache: store, KernelVersion: f.kernel, Arch: runtime.GOARCH, LSM: lsm, CPUs: 1, MemoryMiB: 2048,
		Files: []string{guest}, Timeout: f.timeout, Stdout: &out, Stderr: os.Stderr,
		Line: fmt.Sprintf("%s rounds -rounds %d -batches %d -batch %s -memory=%t", guest, f.rounds, f.batches, f.batch, f.memory),
	}.Run(ctx)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("the measurement in the machine ended with status %d", code)
	}
	var raw report.Raw
	if err := json.Unmarshal(out.Bytes(), &raw); err != nil {
		return fmt.Errorf("read what the machine measured: %w", err)
	}
	if r.Machine, err = report.NewMachine(raw); err != nil {
		return err
	}
	r.Environment.GuestKernel = raw.Kernel
	r.Environment.Accelerator, err = accelerator(ctx, store, f.kernel)
	return err
}

func accelerator(ctx context.Context, store *cache.Cache, version string) (string, error) {
	k, err := kernel.Fetch(ctx, store, version, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	accelerated, err := vm.Accelerated(ctx, store, k)
	if accelerated {
		return "KVM", err
	}
	return "TCG (emulated processor: compare only the ratios)", err
}

// build makes a static program.
func build(ctx context.Context, file, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
