// SPDX-License-Identifier: Apache-2.0

// Package process looks at the process of an event, if it is still there, for what the event does not carry.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Found is what /proc tells about a process. Both may have changed since the event.
type Found struct {
	// Cwd is its working directory as the process sees it.
	Cwd string
	// TTY is its controlling terminal by the kernel's name, for instance "pts0"; empty without one.
	TTY string
}

// Why a process could not be looked at.
var (
	ErrEnded = errors.New("the process had ended before it was looked at")
	ErrMany  = errors.New("too many events to look at each process")
)

// Looker looks at processes, not more than so many in a second: the reader of the kernel's events does it.
//
// It reads nothing of a process's memory. Its command line, for instance, is there: who reads /proc/PID/cmdline waits
// for the pages of a process that can have them come from a file system of its own, and so never.
type Looker struct {
	// Proc is the /proc of the node's pid namespace.
	Proc fs.FS
	// Booted is when the node started, by today's clock.
	Booted func() time.Time
	// Most processes in a second.
	Most int

	mu     sync.Mutex
	second time.Time
	looked int
}

// Booted is when this machine started, by today's clock, suspend included.
func Booted() time.Time {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(since.Nano()))
}

// slack is how far clocks and the kernel's ticks of 10 ms may be apart.
const slack = 50 * time.Millisecond

// Look at the process with this id in the node's pid namespace. at is when the event was: an id that was given to
// another process since tells nothing.
func (l *Looker) Look(pid uint32, at time.Time) (Found, error) {
	if !l.allowed(time.Now()) {
		return Found{}, ErrMany
	}
	folder := strconv.FormatUint(uint64(pid), 10)
	cwd, err := fs.ReadLink(l.Proc, folder+"/cwd")
	if err != nil {
		return Found{}, problem(err)
	}
	// After the other look: while it is the same process now, it was so then.
	raw, err := fs.ReadFile(l.Proc, folder+"/stat")
	if err != nil {
		return Found{}, problem(err)
	}
	s, err := parseStat(raw)
	if err != nil {
		return Found{}, err
	}
	if l.Booted().Add(s.started).After(at.Add(slack)) {
		return Found{}, ErrEnded
	}
	return Found{Cwd: cwd, TTY: ttyName(s.tty)}, nil
}

func (l *Looker) allowed(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.second) >= time.Second {
		l.second, l.looked = now, 0
	}
	l.looked++
	return l.looked <= l.Most
}

func problem(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrEnded
	}
	return fmt.Errorf("look at process: %w", err)
}

type stat struct {
	// started after the node did.
	started time.Duration
	tty     uint32
}

// Fields of /proc/PID/stat after the command's name, which is the second (proc_pid_stat(5)).
const (
	fieldTTY     = 7 - 3
	fieldStarted = 22 - 3
	// tick is one clock tick of what the kernel shows (USER_HZ), the same on every architecture that we build for.
	tick = 10 * time.Millisecond
)

func parseStat(raw []byte) (stat, error) {
	// The name stands in parentheses and may hold more of them.
	end := bytes.LastIndexByte(raw, ')')
	fields := bytes.Fields(raw[end+1:])
	if end < 0 || len(fields) <= fieldStarted {
		return stat{}, fmt.Errorf("read stat of process: %d fields", len(fields))
	}
	tty, err := strconv.ParseInt(string(fields[fieldTTY]), 10, 32)
	if err != nil {
		return stat{}, fmt.Errorf("read terminal of process: %w", err)
	}
	ticks, err := strconv.ParseUint(string(fields[fieldStarted]), 10, 62)
	if err != nil {
		return stat{}, fmt.Errorf("read start of process: %w", err)
	}
	return stat{started: time.Duration(ticks) * tick, tty: uint32(tty)}, nil
}

// ttyName of a device number as /proc encodes it (new_encode_dev). Majors are those of devices.txt.
func ttyName(device uint32) string {
	major, minor := device>>8&0xfff, device&0xff|device>>12&0xfff00
	switch {
	case device == 0:
		return ""
	case major >= 136 && major <= 143:
		return fmt.Sprintf("pts%d", (major-136)<<8+minor)
	case major == 4 && minor < 64:
		return fmt.Sprintf("tty%d", minor)
	case major == 4:
		return fmt.Sprintf("ttyS%d", minor-64)
	default:
		return fmt.Sprintf("%d:%d", major, minor)
	}
}
