// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"maps"

	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// Running is a machine that was started. It ends with the process that started it, whatever kills that.
type Running struct {
	command *exec.Cmd
	qmp     *qmp
	console *tail
	done    chan struct{}
	err     error
}

// Start boots a machine. When ctx ends, the machine is killed.
func Start(ctx context.Context, m Machine) (*Running, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(m.Ports))
	command, err := m.command(ctx, names)
	if err != nil {
		return nil, err
	}
	monitor, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	files := &inherited{files: []*os.File{theirs}}
	for _, name := range names {
		if err := files.pipe(m.Ports[name]); err != nil {
			files.abandon()
			monitor.Close()
			return nil, err
		}
	}
	running := &Running{command: command, console: newTail(m.Console), done: make(chan struct{})}
	command.ExtraFiles = files.files
	command.Stdout, command.Stderr = running.console, running.console
	started := make(chan error)
	go running.run(files, started)
	if err := <-started; err != nil {
		monitor.Close()
		return nil, fmt.Errorf("start machine %s: %w", m.Name, err)
	}
	running.qmp = newQMP(monitor)
	return running, nil
}

func (m Machine) command(ctx context.Context, ports []string) (*exec.Cmd, error) {
	argv := append([]string{m.binary()}, m.arguments(ports)...)
	if m.NetNS != "" {
		// nsenter becomes QEMU, so the process keeps its number.
		argv = append([]string{"nsenter", "--net=" + netnsPath(m.NetNS), "--"}, argv...)
	}
	if err := host.Require(m.binary(), argv[0]); err != nil {
		return nil, err
	}
	path, err := host.Find(argv[0])
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, path, argv[1:]...)
	// A group of its own keeps Ctrl-C on the terminal from reaching QEMU before it reaches us.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return command, nil
}

// run starts the machine and waits for it. The kernel takes the death of the thread that started QEMU for the death of its
// parent, so this thread stays for as long as QEMU does.
func (r *Running) run(files *inherited, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := r.command.Start()
	if err != nil {
		files.abandon()
		started <- err
		return
	}
	files.started()
	started <- nil
	r.err = r.command.Wait()
	files.copied.Wait()
	close(r.done)
}

// Wait until the machine is off. The error is QEMU's: a machine that panics ends without one.
func (r *Running) Wait() error {
	<-r.done
	return r.err
}

// Done is closed when the machine is off.
func (r *Running) Done() <-chan struct{} { return r.done }

// PID of the emulator.
func (r *Running) PID() int { return r.command.Process.Pid }

// ConsoleTail is the end of what the machine printed on its console.
func (r *Running) ConsoleTail() string { return r.console.String() }

// Kill the machine, as a power cut does, and wait for its end.
func (r *Running) Kill() {
	_ = r.command.Process.Kill()
	<-r.done
}

// Stop asks the emulator to end, and kills it if it has not after five seconds. The system inside is not asked.
func (r *Running) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = r.QMP(ctx, "quit", nil)
	select {
	case <-r.done:
	case <-ctx.Done():
		r.Kill()
	}
}

// inherited are the files that QEMU gets, and the copies from its pipes that go on while it runs.
type inherited struct {
	files  []*os.File
	ours   []*os.File
	sinks  []io.Writer
	copied sync.WaitGroup
}

func (f *inherited) pipe(sink io.Writer) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	f.files, f.ours, f.sinks = append(f.files, write), append(f.ours, read), append(f.sinks, sink)
	return nil
}

func (f *inherited) started() {
	for _, file := range f.files {
		file.Close()
	}
	for i, read := range f.ours {
		f.copied.Go(func() {
			defer read.Close()
			// A reader that went away must not block the machine.
			if _, err := io.Copy(f.sinks[i], read); err != nil {
				_, _ = io.Copy(io.Discard, read)
			}
		})
	}
}

func (f *inherited) abandon() {
	for _, file := range slices.Concat(f.files, f.ours) {
		file.Close()
	}
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make monitor socket: %w", err)
	}
	// Only a descriptor that does not block gets deadlines.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), "qmp"), os.NewFile(uintptr(fds[1]), "qmp of qemu"), nil
}
