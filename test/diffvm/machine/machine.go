// SPDX-License-Identifier: Apache-2.0

// Package machine runs the guest of diffvm in a virtual machine with a kernel of Debian's.
package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

const (
	module = "github.com/kubearmor/kubearmor-operator/test/diffvm/"
	// lsm is the list of a kernel that asks BPF programs.
	lsm = "landlock,lockdown,yama,integrity,apparmor,bpf"
)

// Campaign is a number of operations on one kernel.
type Campaign struct {
	Cache *cache.Cache
	// Kernel and Arch as package kernel of the testbed has them.
	Kernel, Arch string
	Operations   int
	// Each is how many operations are tried with one policy set; 0 is the guest's own choice.
	Each int
	Seed uint64
	// Timeout of the machine, from power-on.
	Timeout time.Duration
	// Out gets what the guest says, Console what the kernel prints and what goes wrong.
	Out, Console io.Writer
}

// ErrMismatch says that the kernel and the model do not agree; the guest has said on what.
var ErrMismatch = errors.New("the kernel and the model do not agree, or the guest failed")

// Result is what was tried.
type Result struct{ Operations, Sets int }

// Run builds the guest, boots a machine, and waits for its end.
func (c Campaign) Run(ctx context.Context) (Result, error) {
	dir, err := c.Cache.TempDir()
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	guest, worker := filepath.Join(dir, "guest"), filepath.Join(dir, "worker")
	for file, pkg := range map[string]string{guest: "guest", worker: "worker"} {
		if err := build(ctx, c.Arch, file, module+pkg); err != nil {
			return Result{}, err
		}
	}
	line := fmt.Sprintf("ip link set lo up && %s -worker %s -n %d -seed %d", guest, worker, c.Operations, c.Seed)
	if c.Each > 0 {
		line += fmt.Sprintf(" -each %d", c.Each)
	}
	var said bytes.Buffer
	code, err := vm.Command{
		Cache: c.Cache, KernelVersion: c.Kernel, Arch: c.Arch, LSM: lsm, MemoryMiB: 2048, Files: []string{dir},
		Line: line, Timeout: c.Timeout, Stdout: io.MultiWriter(&said, c.Out), Stderr: c.Console, Console: c.Console,
	}.Run(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("the machine failed: %w", err)
	}
	if code != 0 {
		return Result{}, ErrMismatch
	}
	return resultOf(said.String())
}

// resultOf reads the line that the guest ends with.
func resultOf(said string) (r Result, err error) {
	for line := range strings.Lines(said) {
		if _, err := fmt.Sscanf(line, "diff-vm: %d operations under %d policy sets", &r.Operations, &r.Sets); err == nil {
			return r, nil
		}
	}
	return r, errors.New("the guest ended without saying what it did")
}

// build makes a static program.
func build(ctx context.Context, arch, file, pkg string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, pkg)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
