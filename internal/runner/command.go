// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit statuses of a command that did not start, as env(1) and the shell have them.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

// StartError says why the command did not start.
type StartError struct {
	Command string
	// Code is ExitNotFound or ExitNotExecutable.
	Code int
	Err  error
}

func (e *StartError) Error() string { return fmt.Sprintf("start %s: %v", e.Command, e.Err) }
func (e *StartError) Unwrap() error { return e.Err }

func startError(command string, err error) error {
	code := ExitNotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = ExitNotFound
	}
	return &StartError{Command: command, Code: code, Err: err}
}

// runCommand starts the command in the cgroup and waits for its end. Signals are the command's from then on: a command
// that goes on after SIGTERM is waited for.
func runCommand(ctx context.Context, o Options, where place) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, forwarded()...)
	defer signal.Stop(signals)

	command := exec.Command(o.Command[0], o.Command[1:]...)
	command.Stdin, command.Stdout, command.Stderr = o.Stdin, o.Stdout, o.Stderr
	// Nothing may run unseen when karmor is killed, and with it the enforcement.
	command.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: where.FD() >= 0, CgroupFD: where.FD(), Pdeathsig: syscall.SIGKILL}
	ended := make(chan error, 1)
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that started the command for the end of its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			ended <- command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return 0, startError(o.Command[0], err)
	}
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				_ = command.Process.Signal(s)
			}
		case err := <-ended:
			return exitCode(command.ProcessState, err)
		}
	}
}

// exitCode is the shell's.
func exitCode(state *os.ProcessState, err error) (int, error) {
	if state == nil {
		return 0, fmt.Errorf("wait for the command: %w", err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return state.ExitCode(), nil
}

// forwarded are the signals that someone may send to a command. Those that are about this process (SIGCHLD, SIGURG of
// Go's scheduler, SIGPIPE) and those that stop and continue are not among them.
func forwarded() []os.Signal {
	return []os.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGWINCH,
	}
}

// fromTerminal says whether the terminal has sent a signal to the command too: it sends these to all processes in its
// foreground, and the command is in our process group.
func fromTerminal(s os.Signal) bool {
	if !slices.Contains([]os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH}, s) {
		return false
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer func() { _ = terminal.Close() }()
	foreground, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}
