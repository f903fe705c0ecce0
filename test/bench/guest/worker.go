// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/bench/report"
)

// executed is a static program that ends at once.
const executed = "/bin/busybox"

// work does what it reads: lines of an operation and a number of times, and answers each with nanoseconds or an error.
// It is one process for all settings: another one has another layout in memory, and so another speed.
func work(in io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	// Nothing of Go's runtime is to happen in between; what the operations allocate is little.
	debug.SetGCPercent(-1)
	connect, err := newConnector()
	if err != nil {
		return err
	}
	operations := map[string]func(times int) (time.Duration, error){
		report.OperationExec:    timed(forkExec),
		report.OperationOpen:    timed(openClose),
		report.OperationStat:    timed(stat),
		report.OperationConnect: connect.times,
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var operation string
		var times int
		if _, err := fmt.Sscan(lines.Text(), &times, &operation); err != nil {
			return fmt.Errorf("order %q: %w", lines.Text(), err)
		}
		do := operations[operation]
		if do == nil {
			return fmt.Errorf("order %q: no such operation", lines.Text())
		}
		took, err := do(times)
		runtime.GC()
		if err != nil {
			fmt.Fprintf(out, "%s: %v\n", operation, err)
			continue
		}
		fmt.Fprintln(out, took.Nanoseconds())
	}
	return lines.Err()
}

func timed(once func() error) func(int) (time.Duration, error) {
	return func(times int) (time.Duration, error) {
		begun := time.Now()
		for range times {
			if err := once(); err != nil {
				return 0, err
			}
		}
		return time.Since(begun), nil
	}
}

func forkExec() error {
	pid, err := syscall.ForkExec(executed, []string{"true"}, &syscall.ProcAttr{})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	if status.ExitStatus() != 0 {
		return fmt.Errorf("%s ended with %#x", executed, status)
	}
	return nil
}

func openClose() error {
	fd, err := unix.Open(openedFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func stat() error {
	var st unix.Stat_t
	return unix.Stat(openedFile, &st)
}

// connector opens TCP connections to itself over the loopback device. Timed is the client: socket, connect, and a close
// that resets; accepting what was connected, so that the queue has room, is not.
type connector struct {
	listener int
	address  unix.SockaddrInet4
}

// queue is how many connections wait to be accepted.
const queue = 64

func newConnector() (*connector, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	address := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(fd, &address); err != nil {
		return nil, err
	}
	if err := unix.Listen(fd, 2*queue); err != nil {
		return nil, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	return &connector{listener: fd, address: *bound.(*unix.SockaddrInet4)}, nil
}

func (c *connector) times(times int) (time.Duration, error) {
	var took time.Duration
	for times > 0 {
		n := min(times, queue)
		times -= n
		part, err := timed(c.connect)(n)
		if err != nil {
			return 0, err
		}
		took += part
		for range n {
			fd, _, err := unix.Accept4(c.listener, unix.SOCK_CLOEXEC)
			if err != nil {
				return 0, fmt.Errorf("accept: %w", err)
			}
			unix.Close(fd)
		}
	}
	return took, nil
}

func (c *connector) connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	if err := unix.Connect(fd, &c.address); err != nil {
		return err
	}
	return unix.Close(fd)
}

// worker is the process that does the operations.
type worker struct {
	process *os.Process
	orders  io.Writer
	answers *bufio.Scanner
}

func startWorker() (*worker, error) {
	if err := os.MkdirAll(filepath.Dir(openedFile), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(openedFile, []byte("data\n"), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", "worker")
	// Without signals to itself from Go's scheduler.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &worker{cmd.Process, orders, bufio.NewScanner(answers)}, nil
}

// do has the worker do an operation and returns how long one took on average, in nanoseconds.
func (w *worker) do(operation string, times int) (float64, error) {
	if _, err := fmt.Fprintln(w.orders, times, operation); err != nil {
		return 0, fmt.Errorf("worker: %w", err)
	}
	if !w.answers.Scan() {
		return 0, fmt.Errorf("worker: no answer to %s: %w", operation, io.ErrUnexpectedEOF)
	}
	total, err := strconv.ParseInt(w.answers.Text(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("worker: %s", w.answers.Text())
	}
	return float64(total) / float64(max(times, 1)), nil
}
