// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
	"github.com/kubearmor/kubearmor-operator/test/testbed/rootfs"
)

// FailedExit is the exit status of a run in which the machine, not the command, failed.
const FailedExit = 125

// Command is one shell command line for one machine that exists for it alone.
type Command struct {
	Cache *cache.Cache
	// KernelVersion and Arch as package kernel has them.
	KernelVersion, Arch string
	// LSM is what follows lsm= on the kernel's command line. Empty leaves the choice to the kernel.
	LSM string
	// Debian gives the machine a full userland instead of busybox.
	Debian bool
	// CPUs and MemoryMiB of zero are chosen to fit.
	CPUs, MemoryMiB int
	// Files are files and folders of this machine that appear at the same absolute paths inside.
	Files []string
	// Binaries are files that appear in /usr/local/bin.
	Binaries []string
	// Modules are kernel modules to load besides the virtio ones.
	Modules []string
	// Line is run by sh.
	Line string
	// Timeout of the whole run, from power-on. Ten minutes if zero.
	Timeout time.Duration
	// Stdout and Stderr of the command, and what the kernel prints. Nil drops it.
	Stdout, Stderr, Console io.Writer
}

// Run boots the machine, runs the command, and returns its exit status. An error means that the machine failed.
func (c Command) Run(ctx context.Context) (int, error) {
	if strings.TrimSpace(c.Line) == "" {
		return FailedExit, errors.New("no command to run")
	}
	if err := checkLSM(c.LSM); err != nil {
		return FailedExit, err
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Minute
	}
	k, err := kernel.Fetch(ctx, c.Cache, c.KernelVersion, c.Arch)
	if err != nil {
		return FailedExit, err
	}
	tmp, err := c.Cache.TempDir()
	if err != nil {
		return FailedExit, fmt.Errorf("make a folder for the machine: %w", err)
	}
	defer os.RemoveAll(tmp)
	machine, err := c.machine(ctx, k, tmp)
	if err != nil {
		return FailedExit, err
	}
	if machine.KVM, err = Accelerated(ctx, c.Cache, k); err != nil {
		return FailedExit, err
	}
	return c.boot(ctx, machine)
}

func (c Command) machine(ctx context.Context, k kernel.Kernel, tmp string) (Machine, error) {
	base, err := rootfs.Initramfs(ctx, c.Cache, k, c.Modules...)
	if err != nil {
		return Machine{}, err
	}
	machine := Machine{
		Name:      "testbed",
		Kernel:    k,
		LSM:       c.LSM,
		CPUs:      c.CPUs,
		MemoryMiB: c.MemoryMiB,
		Initrd:    filepath.Join(tmp, "initrd"),
		Append:    []string{"init=" + rootfs.RunInit},
		Console:   c.Console,
	}
	if c.Debian {
		if err = machine.addDebian(ctx, c.Cache); err != nil {
			return Machine{}, err
		}
	}
	if len(c.Binaries) > 0 {
		image := filepath.Join(tmp, "binaries")
		if err = rootfs.Binaries(ctx, c.Binaries, image); err != nil {
			return Machine{}, err
		}
		machine.mount(image, rootfs.BinFolder)
	}
	payload := rootfs.Payload{Line: c.Line, Files: c.Files, OnDisk: c.Debian}
	size, err := payload.Append(base, machine.Initrd)
	if err != nil {
		return Machine{}, err
	}
	if machine.MemoryMiB == 0 {
		machine.MemoryMiB = fittingMemory(size, c.Debian)
	}
	return machine, nil
}

// addDebian gives a machine Debian's userland, and its kernel's modules.
func (m *Machine) addDebian(ctx context.Context, c *cache.Cache) error {
	root, err := rootfs.Debian(ctx, c, m.Kernel.Arch)
	if err != nil {
		return err
	}
	modules, err := rootfs.Modules(ctx, c, m.Kernel)
	if err != nil {
		return err
	}
	m.Disks = []string{root}
	m.Append = append(m.Append, "root=/dev/vda")
	m.mount(modules, "/lib/modules/"+m.Kernel.Release)
	return nil
}

// fittingMemory holds the initramfs packed and unpacked, where half of the memory is the most that files may take.
func fittingMemory(initrd int64, debian bool) int {
	need := 512 + 3*int(initrd>>20)
	if debian {
		return max(2048, need)
	}
	return max(1024, need)
}

// boot runs the machine until it says that the command ended.
func (c Command) boot(ctx context.Context, machine Machine) (int, error) {
	timed, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	status := newStatus()
	machine.Ports = map[string]io.Writer{
		"testbed.stdout": orDiscard(c.Stdout),
		"testbed.stderr": orDiscard(c.Stderr),
		"testbed.status": status,
	}
	begun := time.Now()
	running, err := Start(timed, machine)
	if err != nil {
		return FailedExit, err
	}
	select {
	case <-status.ended:
	case <-running.Done():
	}
	running.Kill()
	if code, ok := status.code(); ok {
		return code, nil
	}
	if ctx.Err() != nil {
		return FailedExit, ctx.Err()
	}
	return FailedExit, c.failure(timed, running, status, time.Since(begun))
}

// failure explains a machine that ended before its command did.
func (c Command) failure(timed context.Context, running *Running, status *status, took time.Duration) error {
	var what string
	console := running.ConsoleTail()
	switch {
	case timed.Err() != nil && status.booted():
		what = fmt.Sprintf("the command did not end within the time limit of %s", c.Timeout)
	case timed.Err() != nil:
		what = fmt.Sprintf("the machine did not boot within the time limit of %s", c.Timeout)
	case running.Panicked() != "":
		what = fmt.Sprintf("the machine's kernel panicked after %.1f s (%s)", took.Seconds(), running.Panicked())
	default:
		what = fmt.Sprintf("the machine went off after %.1f s, before the command ended", took.Seconds())
	}
	if console == "" {
		return errors.New(what + "; it printed nothing on its console")
	}
	return fmt.Errorf("%s; the end of its console:\n%s", what, console)
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// status is what a machine says about its command: "start", then "exit N".
type status struct {
	text  []byte
	ended chan struct{}
	begun chan struct{}
	exit  int
}

func newStatus() *status {
	return &status{ended: make(chan struct{}), begun: make(chan struct{})}
}

// Write is called by one goroutine, the one that reads the port.
func (s *status) Write(data []byte) (int, error) {
	s.text = append(s.text, data...)
	for {
		line, rest, whole := bytes.Cut(s.text, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		s.text = rest
		s.line(strings.TrimSpace(string(line)))
	}
}

func (s *status) line(line string) {
	if line == "start" && !s.booted() {
		close(s.begun)
	}
	number, ok := strings.CutPrefix(line, "exit ")
	if code, err := strconv.Atoi(number); ok && err == nil && !closed(s.ended) {
		s.exit = code
		close(s.ended)
	}
}

func (s *status) booted() bool { return closed(s.begun) }

func (s *status) code() (int, bool) {
	if !closed(s.ended) {
		return 0, false
	}
	return s.exit, true
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
