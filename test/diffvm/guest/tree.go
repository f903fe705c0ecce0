// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// Files of the tree that no generated path is.
const (
	firstWorker = "/.diffvm-worker"
	poolFile    = "/.diffvm-pool"
	usualScript = "/.diffvm-interpreter"
)

// what is to be at a path before an attempt.
type what int

const (
	nothing what = iota
	// kept: whatever is there stays: a folder above something that is needed, a link, a copy of the worker.
	kept
	program
	script
	folder
	// locked is a file that its mode lets nobody use.
	locked
)

// place is a path, behind all symlinks, and what is there before an attempt.
type place struct {
	path  string
	what  what
	owner uint32
	// linked: the object has another name too.
	linked bool
	// interpreter of a script.
	interpreter string
}

// fixed is what a tree has throughout.
type fixed struct {
	links generate.Links
	// sources are the paths of copies of the worker.
	sources []string
	// bindFrom is mounted at bindTo as well, if there is one.
	bindFrom, bindTo string
}

// build makes what is fixed. The worker is one file with many names. It gives the sources for which there is room.
func (f fixed) build(worker []byte) (sources []string, err error) {
	if err := os.WriteFile(firstWorker, worker, 0o755); err != nil {
		return nil, err
	}
	for from, to := range f.links {
		if err := makeFolders(parent(from)); err != nil {
			return nil, err
		}
		if err := unix.Symlink(to, from); err != nil {
			return nil, fmt.Errorf("link %q: %w", from, err)
		}
	}
	if f.bindTo != "" {
		// Something in it, so that it stays.
		stay := f.bindFrom + "/.diffvm-stay"
		if err := errors.Join(makeFolders(stay), makeFolders(f.bindTo)); err != nil {
			return nil, err
		}
		if err := unix.Mount(f.bindFrom, f.bindTo, "", unix.MS_BIND, ""); err != nil {
			return nil, fmt.Errorf("bind %q to %q: %w", f.bindFrom, f.bindTo, err)
		}
	}
	for _, source := range f.sources {
		if makeFolders(parent(source)) == nil && unix.Link(firstWorker, source) == nil {
			sources = append(sources, source)
		}
	}
	return sources, nil
}

// prepare puts what is to be there at the places.
func prepare(places []place) error {
	for _, p := range places {
		if p.path == "" || p.what == kept {
			continue
		}
		if err := makeFolders(parent(p.path)); err != nil {
			return err
		}
	}
	for _, p := range places {
		if err := p.put(); err != nil {
			return err
		}
	}
	return nil
}

func (p place) put() error {
	if p.path == "" || p.what == kept {
		return nil
	}
	if err := remove(p.path); err != nil {
		return err
	}
	switch p.what {
	case folder:
		return errors.Join(unix.Mkdir(p.path, 0o777), unix.Lchown(p.path, int(p.owner), 0))
	case program, script, locked:
		return p.putFile()
	default:
		return nil
	}
}

func (p place) putFile() error {
	content := sensor.TinyProgram()
	if p.what == script {
		content = []byte("#!" + p.interpreter + "\n")
	}
	at := p.path
	if p.linked {
		at = poolFile
		if err := unix.Unlink(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile(at, content, 0o777); err != nil {
		return err
	}
	if p.what == locked {
		if err := unix.Chmod(at, 0); err != nil {
			return err
		}
	}
	if err := unix.Lchown(at, int(p.owner), 0); err != nil {
		return err
	}
	if !p.linked {
		return nil
	}
	err := unix.Link(at, p.path)
	if errors.Is(err, unix.EXDEV) {
		p.linked = false
		return p.putFile()
	}
	return err
}

// clear takes away what is at the places, and puts right what is fixed, so that no attempt changes anything for the next.
func (f fixed) clear(places []place) error {
	for _, p := range places {
		if p.path == "" {
			continue
		}
		if p.what != kept {
			if err := remove(p.path); err != nil {
				return err
			}
			continue
		}
		if err := f.mend(p.path); err != nil {
			return err
		}
	}
	return nil
}

func (f fixed) mend(path string) error {
	if to, isLink := f.links[path]; isLink {
		return errors.Join(remove(path), unix.Symlink(to, path))
	}
	return errors.Join(unix.Lchown(path, 0, 0), unix.Chmod(path, 0o777))
}

// remove takes away whatever is at a path; nothing may be.
func remove(path string) error {
	err := unix.Unlink(path)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return nil
	case errors.Is(err, unix.EISDIR):
		return os.RemoveAll(path)
	default:
		return fmt.Errorf("remove %q: %w", path, err)
	}
}

// makeFolders makes a folder and all above it, and takes away what is no folder on the way but a symlink. It goes step by
// step: a path may have 2,048 components.
func makeFolders(path string) error {
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		next, err := makeFolder(fd, name)
		if err := errors.Join(err, unix.Close(fd)); err != nil {
			return fmt.Errorf("make folder %q of %q: %w", name, path, err)
		}
		fd = next
	}
	return unix.Close(fd)
}

func makeFolder(at int, name string) (int, error) {
	err := unix.Mkdirat(at, name, 0o777)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(at, name, flags, 0)
	if !errors.Is(err, unix.ENOTDIR) {
		return fd, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return -1, unix.ELOOP
	}
	if err := errors.Join(unix.Unlinkat(at, name, 0), unix.Mkdirat(at, name, 0o777)); err != nil {
		return -1, err
	}
	return unix.Openat(at, name, flags, 0)
}

// parent is the directory that a path is in.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
