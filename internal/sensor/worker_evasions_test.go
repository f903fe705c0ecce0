// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// evasionWorkers are attacks that once got through, and what is like them.
func evasionWorkers() map[string]func(args []string) error {
	return map[string]func([]string) error{
		// Needs CAP_SYS_ADMIN.
		"trusted":       func(a []string) error { return unix.Setxattr(a[0], "trusted.worker", []byte("x"), 0) },
		"traced":        beTraced,
		"change-memory": func(a []string) error { return openAs(a[0], unix.O_RDWR) },
		"detached-exec": execDetached,
	}
}

// beTraced has a child that asks to be traced.
func beTraced([]string) error {
	runtime.LockOSThread()
	cmd := workerCommand("idle")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Kill()
}

// execDetached executes a file that has a name, in a mount that is nowhere.
func execDetached([]string) error {
	system, err := unix.Fsopen("tmpfs", 0)
	if err != nil {
		return err
	}
	if err := unix.FsconfigCreate(system); err != nil {
		return err
	}
	root, err := unix.Fsmount(system, 0, 0)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(root, "program", unix.O_CREAT|unix.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, tinyProgram()); err != nil {
		return err
	}
	if err := unix.Close(fd); err != nil {
		return err
	}
	again, err := unix.Openat(root, "program", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return execFile(again)
}
