// SPDX-License-Identifier: Apache-2.0

package root

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// entry is what is at a place of the root.
type entry struct {
	mode fs.FileMode
	// target of a symlink, as it is written.
	target string
	// moves: it is a link of the kubelet's.
	moves bool
	err   error
}

// view is how securejoin sees a root: its "/" is the root's directory.
type view struct{ root *Root }

// Lstat gives the type of what is at name.
func (v view) Lstat(name string) (os.FileInfo, error) {
	e := v.root.look(name)
	return info{mode: e.mode}, e.err
}

// Readlink gives what a symlink says.
func (v view) Readlink(name string) (string, error) {
	e := v.root.look(name)
	return e.target, e.err
}

// info has what securejoin asks for: whether it is a symlink.
type info struct {
	fs.FileInfo
	mode fs.FileMode
}

func (i info) Mode() fs.FileMode { return i.mode }

// look remembers folders and symlinks, which many rules have in common, and no files, nor what moves. On a file system
// that does not answer, it costs one thread, once.
func (r *Root) look(name string) entry {
	name = strings.Trim(name, "/")
	if e, found := r.known[name]; found {
		return e
	}
	answer := make(chan entry, 1)
	dir := int(r.dir.Fd())
	go func() { answer <- lookup(dir, name) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case e := <-answer:
		switch {
		case e.moves:
			r.moving[name], r.isMoving = e.target, true
		case e.err == nil && e.mode.Type() != 0:
			r.known[name] = e
		}
		return e
	case <-timer.C:
		r.waiting = answer
		return entry{err: ErrStuck}
	}
}

// lookup opens name, all of whose folders are known to be none of symlinks, without following any: if one became a
// symlink meanwhile, that is an error and no way out. The kernel's magic links (/proc/PID/root, …) have no text that
// could be followed, and count as files.
func lookup(dir int, name string) entry {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return entry{err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return entry{err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return entry{mode: fs.ModeDir}
	case unix.S_IFLNK:
		return readLink(fd, path.Base(name))
	default:
		return entry{}
	}
}

// kubeletLink is what the kubelet names the one link of a volume of its own that an update moves: it leads to the folder
// with the files as they are now, and each file's link leads over it (k8s.io/kubernetes/pkg/volume/util, AtomicWriter).
// Such volumes are read-only to containers, which could make links of that name elsewhere.
const kubeletLink = "..data"

func readLink(fd int, name string) entry {
	var system unix.Statfs_t
	if err := unix.Fstatfs(fd, &system); err != nil || system.Type == unix.PROC_SUPER_MAGIC {
		return entry{err: err}
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", target)
	if err != nil {
		return entry{err: err}
	}
	moves := name == kubeletLink && system.Flags&unix.ST_RDONLY != 0
	return entry{mode: fs.ModeSymlink, target: string(target[:n]), moves: moves}
}

// openPath opens a folder for nothing but lookups in it.
func openPath(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}
