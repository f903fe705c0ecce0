// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

// programs are the attempts to execute one.
func programs() map[string]func([]string) error {
	return map[string]func([]string) error{"exec": execute, "execveat": executeAt, "memfd": executeMemory}
}

// execute does it in a child, which has the environment of nobody.
func execute(a []string) error {
	pid, err := syscall.ForkExec(a[0], a, &syscall.ProcAttr{Env: []string{}})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err = syscall.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return wire.Killed
	}
	return err
}

// executeAt puts the program behind a mere reference into this process's place.
func executeAt(a []string) error {
	fd, err := unix.Open(a[0], unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(replace(fd, a), unix.Close(fd))
}

// executeMemory does so with a program that is in no file: its bytes are the first of the words.
func executeMemory(a []string) error {
	fd, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, []byte(a[0])); err != nil {
		return err
	}
	return errors.Join(replace(fd, append([]string{"program"}, a[1:]...)), unix.Close(fd))
}

func replace(fd int, arguments []string) error {
	argv, err := syscall.SlicePtrFromStrings(arguments)
	if err != nil {
		return err
	}
	empty, environment := []byte{0}, []*byte{nil}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&environment[0])), unix.AT_EMPTY_PATH, 0)
	runtime.KeepAlive(argv)
	return errno
}
