// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// files are the attempts on files: a system call each, and what must come before it.
func files() map[string]func([]string) error {
	return map[string]func([]string) error{
		"open": func(a []string) error {
			n, err := numbers(a[1:])
			if err != nil {
				return err
			}
			return closed(unix.Open(a[0], n[0]|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o666))
		},
		"openat2": func(a []string) error {
			n, err := numbers(a[1:])
			if err != nil {
				return err
			}
			how := unix.OpenHow{Flags: uint64(n[0]) | unix.O_CLOEXEC | unix.O_NONBLOCK}
			return closed(unix.Openat2(unix.AT_FDCWD, a[0], &how))
		},
		"readdir":   readDirectory,
		"truncate":  func(a []string) error { return unix.Truncate(a[0], 1) },
		"ftruncate": onOpen(unix.O_WRONLY, func(fd int) error { return unix.Ftruncate(fd, 1) }),
		"mkdir":     func(a []string) error { return unix.Mkdir(a[0], 0o777) },
		"mkfifo":    func(a []string) error { return unix.Mknod(a[0], unix.S_IFIFO|0o666, 0) },
		"mknod":     func(a []string) error { return unix.Mknod(a[0], unix.S_IFREG|0o666, 0) },
		"symlink":   func(a []string) error { return unix.Symlink("target", a[0]) },
		"unlink":    func(a []string) error { return unix.Unlink(a[0]) },
		"rmdir":     func(a []string) error { return unix.Rmdir(a[0]) },
		"rename":    func(a []string) error { return unix.Rename(a[0], a[1]) },
		"exchange":  renameWith(unix.RENAME_EXCHANGE),
		"noreplace": renameWith(unix.RENAME_NOREPLACE),
		"link":      func(a []string) error { return unix.Link(a[0], a[1]) },
		"chmod":     func(a []string) error { return unix.Chmod(a[0], 0o775) },
		"fchmod":    onOpen(unix.O_RDONLY, func(fd int) error { return unix.Fchmod(fd, 0o775) }),
		"chown":     func(a []string) error { return unix.Chown(a[0], 1, 1) },
		"fchown":    onOpen(unix.O_RDONLY, func(fd int) error { return unix.Fchown(fd, 1, 1) }),
	}
}

func closed(fd int, err error) error {
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func readDirectory(a []string) error {
	return onOpen(unix.O_RDONLY|unix.O_DIRECTORY, func(fd int) error {
		_, err := unix.Getdents(fd, make([]byte, 4096))
		return err
	})(a)
}

func onOpen(flags int, do func(fd int) error) func([]string) error {
	return func(a []string) error {
		fd, err := unix.Open(a[0], flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		return errors.Join(do(fd), unix.Close(fd))
	}
}

func renameWith(flags uint) func([]string) error {
	return func(a []string) error { return unix.Renameat2(unix.AT_FDCWD, a[0], unix.AT_FDCWD, a[1], flags) }
}
