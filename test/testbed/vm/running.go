// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// Running is a machine that was started. It ends with the process that started it, whatever kills that.
type Running struct {
	command *exec.Cmd
	console *tail
	done    chan struct{}
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
	files := &inherited{}
	for _, name := range names {
		if err := files.pipe(m.Ports[name]); err != nil {
			files.abandon()
			return nil, fmt.Errorf("start machine %s: %w", m.Name, err)
		}
	}
	running := &Running{command: command, console: newTail(m.Console), done: make(chan struct{})}
	command.ExtraFiles = files.files
	command.Stdout, command.Stderr = running.console, running.console
	started := make(chan error)
	go running.run(files, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start machine %s: %w", m.Name, err)
	}
	return running, nil
}

func (m Machine) command(ctx context.Context, ports []string) (*exec.Cmd, error) {
	if err := host.Require(m.binary()); err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, m.binary(), m.arguments(ports)...)
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
	_ = r.command.Wait() // a machine that panics ends without an error; what QEMU itself has to say is on the console
	files.copied.Wait()
	close(r.done)
}

// Done is closed when the machine is off.
func (r *Running) Done() <-chan struct{} { return r.done }

// ConsoleTail is the end of what the machine printed on its console.
func (r *Running) ConsoleTail() string { return r.console.String() }

// Panicked is what the kernel said when it gave up, or empty.
func (r *Running) Panicked() string { return r.console.panicked() }

// Kill the machine, as a power cut does, and wait for its end.
func (r *Running) Kill() {
	_ = r.command.Process.Kill()
	<-r.done
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
