// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

func open(t *testing.T, dir string) *Cache {
	t.Helper()
	c, err := Open(dir, progress.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEntryIsBuiltOnceHoweverManyWantIt(t *testing.T) {
	c := open(t, t.TempDir())
	var built atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			path, err := c.Entry(t.Context(), "kernel/x", func(tmp string) error {
				built.Add(1)
				time.Sleep(50 * time.Millisecond)
				return os.WriteFile(filepath.Join(tmp, "file"), []byte("whole"), 0o644)
			})
			if err != nil {
				t.Error(err)
			}
			if text, err := os.ReadFile(filepath.Join(path, "file")); err != nil || string(text) != "whole" {
				t.Errorf("entry holds %q, %v", text, err)
			}
		})
	}
	all.Wait()
	if built.Load() != 1 {
		t.Errorf("built %d times", built.Load())
	}
}

func TestABuildThatFailsLeavesNothing(t *testing.T) {
	c := open(t, t.TempDir())
	failure := errors.New("no network")
	build := func(tmp string) error {
		return errors.Join(os.WriteFile(filepath.Join(tmp, "half"), nil, 0o644), failure)
	}
	if _, err := c.Entry(t.Context(), "x", build); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(c.Path("tmp", "*"))
	if err != nil || len(left) > 0 || exists(c.Path("x")) {
		t.Errorf("left %v, %v, entry exists: %v", left, err, exists(c.Path("x")))
	}
}

func TestWaitingForAnotherEndsWithTheContext(t *testing.T) {
	c := open(t, t.TempDir())
	unlock, err := c.Lock(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if _, err := c.Lock(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestOpenRemovesWhatDeadProcessesLeft(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	live, err := c.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	dead := c.Path("tmp", "dead")
	if err := os.Mkdir(dead, 0o755); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	for _, folder := range []string{live, dead} {
		if err := os.Chtimes(folder, hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	if !exists(live) || exists(dead) {
		t.Errorf("folder in use exists: %v; folder of a dead process exists: %v", exists(live), exists(dead))
	}
}
