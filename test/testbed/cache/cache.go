// SPDX-License-Identifier: Apache-2.0

// Package cache keeps what the testbed downloads and builds in one folder that git ignores; many processes may share it.
package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// Cache is a folder of entries. An entry is a folder that appears at once and whole, or not at all.
type Cache struct {
	dir string
	Log *progress.Log
}

// Open makes the cache's folder if need be.
func Open(dir string, log *progress.Log) (*Cache, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cache folder %q: %w", dir, err)
	}
	for _, sub := range []string{"locks", "tmp"} {
		if err := os.MkdirAll(filepath.Join(abs, sub), 0o755); err != nil {
			return nil, fmt.Errorf("make cache folder: %w", err)
		}
	}
	c := &Cache{dir: abs, Log: log}
	return c, c.sweep()
}

// sweep removes the temporary folders of processes that were killed. One that lives holds the lock of its folders.
func (c *Cache) sweep() error {
	left, err := os.ReadDir(c.Path("tmp"))
	if err != nil {
		return fmt.Errorf("sweep cache folder: %w", err)
	}
	for _, entry := range left {
		folder := c.Path("tmp", entry.Name())
		// A folder that was made just now may not be locked yet.
		if info, err := entry.Info(); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if file, err := os.Open(folder); err == nil {
			if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				_ = os.RemoveAll(folder)
			}
			file.Close()
		}
	}
	return nil
}

// Path of something inside the cache.
func (c *Cache) Path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// TempDir makes a folder on the cache's filesystem. The caller removes it.
func (c *Cache) TempDir() (string, error) {
	dir, err := os.MkdirTemp(c.Path("tmp"), "")
	if err != nil {
		return "", err
	}
	// The lock ends with the process, and so says for how long the folder is in use.
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", dir, err)
	}
	return dir, unix.Flock(fd, unix.LOCK_EX)
}

// Entry returns the folder called name, and calls build to fill it if it does not exist yet. While one process builds an
// entry, others that want it wait.
func (c *Cache) Entry(ctx context.Context, name string, build func(tmp string) error) (string, error) {
	path := c.Path(name)
	if exists(path) {
		return path, nil
	}
	unlock, err := c.Lock(ctx, name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(path) {
		return path, nil
	}
	if err := c.fill(path, build); err != nil {
		return "", fmt.Errorf("cache entry %s: %w", name, err)
	}
	return path, nil
}

func (c *Cache) fill(path string, build func(tmp string) error) error {
	tmp, err := c.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := build(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Lock holds name until unlock is called or the process ends.
func (c *Cache) Lock(ctx context.Context, name string) (unlock func(), err error) {
	path := c.Path("locks", strings.ReplaceAll(name, "/", "_"))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err := c.wait(ctx, name, file); err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}

func (c *Cache) wait(ctx context.Context, name string, file *os.File) error {
	for told := false; ; told = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", name, err)
		}
		if !told {
			c.Log.Printf("%s: another process is at it, waiting", name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", name, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
