// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"io"
	"strings"
	"sync"
)

// tail passes on what is written to it and remembers the end, for error messages.
type tail struct {
	mu   sync.Mutex
	next io.Writer
	last []byte
}

// tailSize holds more than the lines that are shown.
const tailSize = 6 << 10

func newTail(next io.Writer) *tail {
	if next == nil {
		next = io.Discard
	}
	return &tail{next: next}
}

// Write never fails: a console that nobody can read must not stop the machine.
func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, data...)
	if len(t.last) > 2*tailSize {
		t.last = append(t.last[:0], t.last[len(t.last)-tailSize:]...)
	}
	_, _ = t.next.Write(data)
	return len(data), nil
}

// lines without the terminal's carriage returns.
func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(string(t.last), "\r", "")), "\n")
}

// String is the last lines.
func (t *tail) String() string {
	const shown = 20
	all := t.lines()
	return strings.Join(all[max(0, len(all)-shown):], "\n")
}

// panicked is the line that says why the kernel gave up, or empty.
func (t *tail) panicked() string {
	for _, line := range t.lines() {
		if _, cause, ok := strings.Cut(line, "Kernel panic - "); ok {
			return cause
		}
	}
	return ""
}
