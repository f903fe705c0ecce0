// SPDX-License-Identifier: Apache-2.0

// Command worker does one attempt after the other inside of a policed cgroup, and answers with the kernel's errno. It
// opens, maps and executes nothing that it was not told to: everything else would be judged too.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] != wire.Serve {
		return
	}
	// Users and capabilities are the thread's.
	runtime.LockOSThread()
	unix.Umask(0)
	for {
		a, err := wire.Read(os.Stdin)
		if err != nil {
			return
		}
		errno, problem := attempt(a)
		if err := wire.Answer(os.Stdout, errno, problem); err != nil {
			return
		}
	}
}

// attempt does it as the user that it says, without the capability that it names.
func attempt(a wire.Attempt) (syscall.Errno, string) {
	restore, err := drop(a.Drop)
	if err != nil {
		return 0, fmt.Sprintf("drop capability %d: %v", a.Drop, err)
	}
	setFileUser(a.UID)
	err = act(a)
	setFileUser(0)
	if err := restore(); err != nil {
		return 0, fmt.Sprintf("take capability %d back: %v", a.Drop, err)
	}
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return 0, err.Error()
	}
	return errno, ""
}

// setFileUser sets this thread's fsuid, and with it takes or gives back the capabilities on files.
func setFileUser(uid uint32) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(uid), 0, 0)
}

// drop takes a capability from what is in effect for this thread.
func drop(capability int) (restore func() error, err error) {
	if capability < 0 {
		return func() error { return nil }, nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		return nil, err
	}
	without := before
	without[capability/32].Effective &^= 1 << (capability % 32)
	if err := unix.Capset(&header, &without[0]); err != nil {
		return nil, err
	}
	return func() error { return unix.Capset(&header, &before[0]) }, nil
}

func act(a wire.Attempt) error {
	if a.Act == "nothing" {
		return nil
	}
	for _, acts := range []map[string]func([]string) error{files(), programs(), sockets(), capabilities()} {
		if do, found := acts[a.Act]; found {
			return do(a.Args)
		}
	}
	return fmt.Errorf("the worker knows no %q", a.Act)
}

func numbers(words []string) ([]int, error) {
	out := make([]int, len(words))
	for i, word := range words {
		if _, err := fmt.Sscan(word, &out[i]); err != nil {
			return nil, fmt.Errorf("read number %q: %w", word, err)
		}
	}
	return out, nil
}
