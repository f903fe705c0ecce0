// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// killed is what a worker answers for a program that ran into SIGKILL.
const killed = syscall.EOWNERDEAD

// languageWorkers are operations of one system call each.
func languageWorkers() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"unlink":   func(a []string) error { return unix.Unlink(a[0]) },
		"rmdir":    func(a []string) error { return unix.Rmdir(a[0]) },
		"mkdir":    func(a []string) error { return unix.Mkdir(a[0], 0o755) },
		"mknod":    func(a []string) error { return unix.Mknod(a[0], unix.S_IFIFO|0o600, 0) },
		"symlink":  func(a []string) error { return unix.Symlink("target", a[0]) },
		"chmod":    func(a []string) error { return unix.Chmod(a[0], 0o700) },
		"chown":    func(a []string) error { return unix.Chown(a[0], 0, 0) },
		"truncate": func(a []string) error { return unix.Truncate(a[0], 1) },
		"rename":   func(a []string) error { return unix.Rename(a[0], a[1]) },
		"link":     func(a []string) error { return unix.Link(a[0], a[1]) },
		"exchange": func(a []string) error {
			return unix.Renameat2(unix.AT_FDCWD, a[0], unix.AT_FDCWD, a[1], unix.RENAME_EXCHANGE)
		},
		"open-truncate":       func(a []string) error { return openAs(a[0], unix.O_RDONLY|unix.O_TRUNC) },
		"open-often":          openOften,
		"append":              func(a []string) error { return openAs(a[0], unix.O_WRONLY|unix.O_APPEND) },
		"read-write":          func(a []string) error { return openAs(a[0], unix.O_RDWR) },
		"ftruncate":           truncateOpened,
		"ftruncate-inherited": func([]string) error { return unix.Ftruncate(3, 1) },
		"mmap-write":          writeMapped,
		"tour":                tour,
		"run":                 run,
		"socket":              openSocket,
		"connect":             connectUDP,
		"talk":                talk,
		"multipath":           connectMultipath,
		"lookup":              lookUp,
		"chroot-only":         func(a []string) error { return unix.Chroot(a[0]) },
	}
}

func openAs(path string, flags int) error {
	fd, err := unix.Open(path, flags, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func openOften(args []string) error {
	times, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for range times {
		if err := openAs(args[0], unix.O_RDONLY); err != nil {
			return err
		}
	}
	return nil
}

func truncateOpened(args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Ftruncate(fd, 1)
}

func writeMapped(args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	memory, err := unix.Mmap(fd, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	memory[0]++
	return unix.Munmap(memory)
}

// tour goes through the cgroups container-0, container-1 and so on: in each, the secret of that number is denied, and the
// next one's is not.
func tour(args []string) error {
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	secret := func(i int) string { return fmt.Sprintf("%s/secret-%d", args[1], i%count) }
	for i := range count {
		if err := os.WriteFile(fmt.Sprintf("%s/container-%d/cgroup.procs", args[0], i), []byte("0"), 0); err != nil {
			return err
		}
		if err := openFile([]string{secret(i)}); !errors.Is(err, denied) {
			fmt.Fprintf(os.Stderr, "container %d opened its secret: %v\n", i, err)
			return unix.EUCLEAN
		}
		if err := openFile([]string{secret(i + 1)}); err != nil {
			return fmt.Errorf("container %d: %w", i, err)
		}
	}
	return nil
}

// run executes a program with arguments.
func run(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return killed
	}
	return err
}

func openSocket(args []string) error {
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	fd, err := unix.Socket(numbers[0], numbers[1], numbers[2])
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func connectUDP([]string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}})
}

// connectMultipath uses a multipath TCP connection to itself in every way that is judged.
func connectMultipath([]string) error {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err != nil {
		return err
	}
	defer unix.Close(client)
	if err := unix.Connect(client, address); err != nil {
		return err
	}
	accepted, _, err := unix.Accept(listener)
	if err != nil {
		return err
	}
	defer unix.Close(accepted)
	return unix.Sendto(accepted, []byte("x"), 0, nil)
}

// talk does what sockets are for with itself: over TCP from the first port, and over UDP from the second one, connected
// and, to the first port, not.
func talk(args []string) error {
	host, err := netip.ParseAddr(strings.Trim(args[0], "[]"))
	if err != nil {
		return err
	}
	family := unix.AF_INET6
	if host.Is4() {
		family = unix.AF_INET
	}
	var at [2]unix.Sockaddr
	for i := range at {
		port, err := strconv.Atoi(args[1+i])
		if err != nil {
			return err
		}
		at[i] = &unix.SockaddrInet6{Port: port, Addr: host.As16()}
		if host.Is4() {
			at[i] = &unix.SockaddrInet4{Port: port, Addr: host.As4()}
		}
	}
	if err := talkTCP(family, at[0]); err != nil {
		return err
	}
	return talkUDP(family, at[0], at[1])
}

func talkTCP(family int, at unix.Sockaddr) error {
	listener, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	if err := unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := errors.Join(unix.Bind(listener, at), unix.Listen(listener, 1)); err != nil {
		return err
	}
	client, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(client)
	if err := unix.Connect(client, at); err != nil {
		return err
	}
	accepted, _, err := unix.Accept(listener)
	if err != nil {
		return err
	}
	defer unix.Close(accepted)
	_, err = unix.Write(client, []byte("not worth a log"))
	return err
}

func talkUDP(family int, first, second unix.Sockaddr) error {
	bound, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(bound)
	if err := unix.Bind(bound, second); err != nil {
		return err
	}
	client, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(client)
	if err := unix.Connect(client, second); err != nil {
		return err
	}
	if _, err := unix.Write(client, []byte("not worth a log")); err != nil {
		return err
	}
	return unix.Sendto(bound, []byte("x"), 0, first)
}
