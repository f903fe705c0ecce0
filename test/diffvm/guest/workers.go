// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

// workerKey says which worker does an attempt: the copy at this path, with or without a terminal.
type workerKey struct {
	path     string
	terminal bool
}

type worker struct {
	process *os.Process
	to      *os.File
	from    *os.File
	// main is the other end of the terminal.
	main *os.File
}

// patience with one attempt, on a machine that may be emulated.
const patience = 30 * time.Second

// try has the worker do one attempt, and gives the kernel's errno.
func (s *side) try(key workerKey, a wire.Attempt) (syscall.Errno, error) {
	w, found := s.workers[key]
	if !found {
		begun := time.Now()
		var err error
		if w, err = s.start(key); err != nil {
			return 0, fmt.Errorf("start the worker %q: %w", key.path, err)
		}
		s.workers[key] = w
		s.machine.started++
		s.machine.starting += time.Since(begun)
	}
	errno, err := w.call(a)
	if err == nil || !a.Replaces() || errors.Is(err, os.ErrDeadlineExceeded) {
		return errno, err
	}
	// The worker is gone, and the program in its place has ended.
	delete(s.workers, key)
	return w.ended()
}

func (w *worker) call(a wire.Attempt) (syscall.Errno, error) {
	if err := a.Write(w.to); err != nil {
		return 0, err
	}
	if err := w.from.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return wire.ReadAnswer(w.from)
}

// ended gives how the process ended, as an errno.
func (w *worker) ended() (syscall.Errno, error) {
	state, err := w.process.Wait()
	err = errors.Join(err, w.close())
	if err != nil {
		return 0, err
	}
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		return wire.Killed, nil
	case status.Exited() && status.ExitStatus() == 0:
		return 0, nil
	default:
		return 0, fmt.Errorf("the program in the worker's place ended with %v", state)
	}
}

func (w *worker) close() error {
	err := errors.Join(w.to.Close(), w.from.Close())
	if w.main != nil {
		err = errors.Join(err, w.main.Close())
	}
	return err
}

// start starts a worker in the side's root, waits until it is there, and moves it into the cgroup.
func (s *side) start(key workerKey) (*worker, error) {
	in, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	from, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	w := &worker{to: to, from: from}
	o := &os.ProcAttr{Dir: "", Env: []string{"GOMAXPROCS=1"}, Files: []*os.File{in, out, os.Stderr}, Sys: &syscall.SysProcAttr{Setsid: true}}
	if key.terminal {
		terminal, err := w.openTerminal()
		if err != nil {
			return nil, fmt.Errorf("make a terminal: %w", err)
		}
		defer func() { _ = terminal.Close() }()
		o.Sys.Setctty, o.Sys.Ctty = true, len(o.Files)
		o.Files = append(o.Files, terminal)
	}
	err = s.do(func() error {
		w.process, err = os.StartProcess(key.path, []string{"worker", wire.Serve}, o)
		return err
	})
	if err := errors.Join(err, in.Close(), out.Close()); err != nil {
		return nil, err
	}
	// Go's own start opens files.
	if _, err := w.call(wire.Attempt{Act: "nothing", Drop: -1}); err != nil {
		return nil, err
	}
	return w, s.enter(w.process.Pid)
}

// openTerminal makes a new one, whose far end the worker gets.
func (w *worker) openTerminal() (*os.File, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	w.main = os.NewFile(uintptr(fd), "ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, err
	}
	far, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(far, "terminal"), nil
}

// stop ends a worker.
func (s *side) stop(key workerKey) error {
	w := s.workers[key]
	delete(s.workers, key)
	err := w.process.Kill()
	_, waited := w.process.Wait()
	return errors.Join(err, waited, w.close())
}
