// SPDX-License-Identifier: Apache-2.0

// Package progress says on a terminal or in a CI log what a long command is doing and for how long.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// heartbeat is how often a step that is still running says so.
const heartbeat = 10 * time.Second

// Log writes lines that start with the time since the log was made. It is safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

// New returns a Log that writes to out.
func New(out io.Writer) *Log {
	return &Log{out: out, start: time.Now()}
}

// Printf writes one line.
func (l *Log) Printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "[%6.1fs] %s\n", time.Since(l.start).Seconds(), fmt.Sprintf(format, args...))
}

// Step runs do, says when it starts and ends, and every ten seconds in between that it goes on.
func (l *Log) Step(name string, do func() error) error {
	begun := time.Now()
	l.Printf("%s ...", name)
	done := make(chan error, 1)
	go func() { done <- do() }()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			l.end(name, begun, err)
			return err
		case <-ticker.C:
			l.Printf("%s: still going after %.0f s", name, time.Since(begun).Seconds())
		}
	}
}

func (l *Log) end(name string, begun time.Time, err error) {
	if err != nil {
		l.Printf("%s: FAILED after %.1f s: %v", name, time.Since(begun).Seconds(), err)
		return
	}
	l.Printf("%s: done in %.1f s", name, time.Since(begun).Seconds())
}
