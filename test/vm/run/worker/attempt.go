// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/vm/run/script"
)

// become makes this process what the operation asks for.
func become(op script.Operation) error {
	if op.Terminal {
		if err := takeTerminal(); err != nil {
			return fmt.Errorf("take a terminal: %w", err)
		}
	}
	if op.UID != 0 {
		return syscall.Setuid(int(op.UID))
	}
	return nil
}

// takeTerminal makes a new terminal the one of a new session.
func takeTerminal() error {
	main, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(main, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	number, err := unix.IoctlGetInt(main, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	if _, err := unix.Setsid(); err != nil {
		return err
	}
	terminal, err := unix.Open(fmt.Sprintf("/dev/pts/%d", number), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.IoctlSetInt(terminal, unix.TIOCSCTTY, 0)
}

// do attempts the operation; the error is the kernel's.
func do(op script.Operation) error {
	switch op.Op {
	case "exec":
		return execute(op)
	case "read":
		return open(op.Path, unix.O_RDONLY)
	case "write":
		return open(op.Path, unix.O_WRONLY)
	case "create":
		return open(op.Path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	case "delete":
		return unix.Unlink(op.Path)
	case "rename":
		return unix.Rename(op.Path, op.NewPath)
	case "link":
		return unix.Link(op.Path, op.NewPath)
	case "chmod":
		return unix.Chmod(op.Path, 0o666)
	case "socket", "connect", "bind", "listen":
		return socket(op)
	case "dns":
		return lookUp(op.Domain)
	case "capable":
		return useCapability(op.Capability)
	case "map":
		return mapExecutable(op)
	case "ptrace":
		return lookInto()
	default:
		return fmt.Errorf("the worker knows no %q", op.Op)
	}
}

func open(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// execute with nothing but what is needed: in an allow-list, /dev/null might be denied too.
func execute(op script.Operation) error {
	command := exec.Command(op.Path, op.Args...)
	program, err := nameless(op)
	if err != nil {
		return err
	}
	if program != nil {
		defer func() { _ = program.Close() }()
		command = exec.Command("/proc/self/fd/3", op.Args...)
		command.ExtraFiles = []*os.File{program}
	}
	command.Env = []string{quit + "=1"}
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stderr, os.Stderr
	return command.Run()
}

// inMemory is a copy of this program that is in no file.
func inMemory() (*os.File, error) {
	content, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("program", 0)
	if err != nil {
		return nil, err
	}
	program := os.NewFile(uintptr(fd), "program")
	_, err = program.Write(content)
	return program, err
}

// socket makes one, and uses it as far as asked. That nobody listens is no denial.
func socket(op script.Operation) error {
	fd, err := unix.Socket(op.Family, op.Type|unix.SOCK_CLOEXEC, op.Protocol)
	if err != nil || op.Op == "socket" {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	address, err := addressOf(op)
	if err != nil {
		return err
	}
	if op.Op == "connect" {
		if err = unix.Connect(fd, address); errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
		return err
	}
	if err := unix.Bind(fd, address); err != nil || op.Op == "bind" {
		return err
	}
	return unix.Listen(fd, 1)
}

func addressOf(op script.Operation) (unix.Sockaddr, error) {
	// Port 9 is nobody's here, and an abstract name of a unix socket needs no file.
	port := 9
	if op.Op != "connect" {
		port = 0
	}
	switch op.Family {
	case unix.AF_INET:
		return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, nil
	case unix.AF_INET6:
		return &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}, nil
	case unix.AF_UNIX:
		return &unix.SockaddrUnix{Name: fmt.Sprintf("@worker-%d", os.Getpid())}, nil
	default:
		return nil, fmt.Errorf("the worker has no address of family %d", op.Family)
	}
}

// useCapability does what needs it and nothing else.
func useCapability(name string) error {
	switch name {
	case "sys_chroot":
		return unix.Chroot("/")
	case "sys_nice":
		return unix.Setpriority(unix.PRIO_PROCESS, 0, -1)
	case "net_raw":
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	default:
		return fmt.Errorf("the worker has no use for capability %q", name)
	}
}
