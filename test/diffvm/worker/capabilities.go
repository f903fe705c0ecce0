// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// capabilities are attempts that need exactly the capability that they are named after, "cap_" and all, and leave nothing
// behind. What they need besides is first of their words.
func capabilities() map[string]func([]string) error {
	return map[string]func([]string) error{
		"cap_chown":  func(a []string) error { return unix.Chown(a[0], 1, -1) },
		"cap_fowner": func(a []string) error { return unix.Chmod(a[0], 0o700) },
		"cap_mknod":  func(a []string) error { return unix.Mknod(a[0], unix.S_IFCHR|0o600, 0x103) },
		"cap_dac_override": func(a []string) error {
			return closed(unix.Open(a[0], unix.O_WRONLY|unix.O_CLOEXEC, 0))
		},
		"cap_lease":      onOpen(unix.O_RDONLY, func(fd int) error { return lease(fd) }),
		"cap_sys_chroot": func([]string) error { return unix.Chroot("/") },
		"cap_sys_nice": func([]string) error {
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 0); err != nil {
				return err
			}
			return unix.Setpriority(unix.PRIO_PROCESS, 0, -1)
		},
		"cap_net_raw":   withSocket(func(int, []int) error { return nil }),
		"cap_net_admin": withSocket(func(fd int, _ []int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DEBUG, 1) }),
		"cap_net_bind_service": withSocket(func(fd int, n []int) error {
			return unix.Bind(fd, address(n, 80))
		}),
		"cap_sys_admin":    func([]string) error { return unix.Sethostname([]byte("diffvm")) },
		"cap_setgid":       func([]string) error { return call(unix.SYS_SETGROUPS, 0, 0) },
		"cap_setuid":       setUser,
		"cap_setpcap":      func([]string) error { return unix.Prctl(unix.PR_CAPBSET_DROP, 99, 0, 0, 0) },
		"cap_sys_boot":     func([]string) error { return call(unix.SYS_REBOOT, 0, 0) },
		"cap_sys_pacct":    func([]string) error { return call(unix.SYS_ACCT, 0, 0) },
		"cap_sys_resource": raiseLimit,
		"cap_wake_alarm": func([]string) error {
			return closed(unix.TimerfdCreate(unix.CLOCK_BOOTTIME_ALARM, unix.TFD_CLOEXEC))
		},
		"cap_sys_module": func([]string) error {
			name := []byte("nothing-of-this-name\x00")
			return call(unix.SYS_DELETE_MODULE, uintptr(unsafe.Pointer(&name[0])), unix.O_NONBLOCK)
		},
	}
}

func call(number, first, second uintptr) error {
	_, _, errno := syscall.RawSyscall(number, first, second, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func lease(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	return err
}

// setUser sets the saved user to one that is none of this thread's, which is root, and back.
func setUser([]string) error {
	const same = ^uintptr(0)
	_, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, same, same, 7)
	if errno != 0 {
		return errno
	}
	_, _, errno = syscall.RawSyscall(unix.SYS_SETRESUID, same, same, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// raiseLimit lowers a limit, which anybody may, and raises it again.
func raiseLimit([]string) error {
	if err := unix.Prlimit(0, unix.RLIMIT_MSGQUEUE, &unix.Rlimit{Cur: 0, Max: 1000}, nil); err != nil && !errors.Is(err, unix.EPERM) {
		return err
	}
	return unix.Prlimit(0, unix.RLIMIT_MSGQUEUE, &unix.Rlimit{Cur: 0, Max: 1001}, nil)
}
