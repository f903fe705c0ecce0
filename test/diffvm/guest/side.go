// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/root"
)

// side is one of two containers that are alike in all but their policies: a cgroup, a mount namespace whose root is a
// file system in memory, and workers.
type side struct {
	machine *machine
	group   *cgroup.Group
	// jobs run on the one thread that is in the mount namespace, and in no policed cgroup.
	jobs chan func()
	// thread is the id of that thread.
	thread  int
	workers map[workerKey]*worker
}

// mountPoint of a root, in the mount namespace of its side alone.
const mountPoint = "/run/diffvm"

func newSide(m *machine, group *cgroup.Group) (*side, error) {
	s := &side{machine: m, group: group, jobs: make(chan func()), workers: map[workerKey]*worker{}}
	ready := make(chan error)
	go func() {
		// Never unlocked: the thread ends with its namespace.
		runtime.LockOSThread()
		s.thread = unix.Gettid()
		ready <- enterRoot()
		for job := range s.jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		close(s.jobs)
		return nil, fmt.Errorf("make the root of a side: %w", err)
	}
	return s, nil
}

// enterRoot makes this thread's root an empty file system of its own, as that of a container is: nothing is above it.
func enterRoot() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	unix.Umask(0)
	if err := os.MkdirAll(mountPoint, 0o755); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("tree", mountPoint, "tmpfs", 0, "mode=0777") },
		func() error { return unix.Chdir(mountPoint) },
		func() error { return unix.Mount(".", "/", "", unix.MS_MOVE, "") },
		func() error { return unix.Chroot(".") },
		func() error { return unix.Chdir("/") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// do runs f on the thread of the side's root.
func (s *side) do(f func() error) error {
	done := make(chan error)
	s.jobs <- func() { done <- f() }
	return <-done
}

// root is the side's, as an agent looks at a container's.
func (s *side) root() *root.Root {
	return root.Directory(fmt.Sprintf("/proc/%d/task/%d/root", os.Getpid(), s.thread))
}

// close ends the workers; the file system goes with them.
func (s *side) close() error {
	var errs []error
	for key := range s.workers {
		errs = append(errs, s.stop(key))
	}
	close(s.jobs)
	return errors.Join(errs...)
}

// enter moves a process into the side's cgroup, if it has one. It starts outside: that it is executed is nothing to judge.
func (s *side) enter(pid int) error {
	if s.group == nil {
		return nil
	}
	procs := filepath.Join(cgroup.Top, s.group.Path, "cgroup.procs")
	if err := os.WriteFile(procs, fmt.Append(nil, pid), 0); err != nil {
		return fmt.Errorf("move the worker into its cgroup: %w", err)
	}
	return nil
}
