// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Archive writes an initramfs segment (cpio, newc). Everything in it belongs to root. Segments may be put one after the other
// in one file, compressed or not: the kernel unpacks them in turn.
type Archive struct {
	out     *bufio.Writer
	written int64
	inode   int
	folders map[string]bool
	err     error
}

// NewArchive writes to out. Close it to know whether all went well.
func NewArchive(out io.Writer) *Archive {
	return &Archive{out: bufio.NewWriterSize(out, 1<<20), folders: map[string]bool{"": true}}
}

// Add a file with the given content. Missing folders above it are made.
func (a *Archive) Add(name string, mode fs.FileMode, content []byte) {
	a.AddReader(name, mode, int64(len(content)), strings.NewReader(string(content)))
}

// AddReader adds a file of a known size.
func (a *Archive) AddReader(name string, mode fs.FileMode, size int64, content io.Reader) {
	a.parents(name)
	a.header(name, 0o100000|uint32(mode.Perm()), size)
	if a.err != nil {
		return
	}
	copied, err := io.Copy(a.out, io.LimitReader(content, size))
	a.written += copied
	if err == nil && copied != size {
		err = fmt.Errorf("%s shrank from %d to %d bytes while it was read", name, size, copied)
	}
	a.fail(err)
	a.pad()
}

// Folder adds a folder and those above it.
func (a *Archive) Folder(name string, mode fs.FileMode) {
	name = clean(name)
	if a.folders[name] {
		return
	}
	a.parents(name)
	a.folders[name] = true
	a.header(name, 0o040000|uint32(mode.Perm()), 0)
}

// Symlink adds a symbolic link.
func (a *Archive) Symlink(name, target string) {
	a.parents(name)
	a.header(name, 0o120777, int64(len(target)))
	a.write([]byte(target))
	a.pad()
}

// Device adds a character device.
func (a *Archive) Device(name string, mode fs.FileMode, major, minor int) {
	a.parents(name)
	a.entry(entry{name: clean(name), mode: 0o020000 | uint32(mode.Perm()), major: major, minor: minor})
}

// AddTree copies a file of this machine, or a folder with all that is in it, to name. Links inside stay links.
func (a *Archive) AddTree(source, name string) error {
	resolved, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	return filepath.WalkDir(resolved, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(resolved, file)
		if err != nil {
			return err
		}
		return a.addOne(file, path.Join(name, filepath.ToSlash(rest)))
	})
}

func (a *Archive) addOne(file, name string) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case 0:
		return a.addFile(file, name, info)
	case fs.ModeDir:
		a.Folder(name, info.Mode())
	case fs.ModeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		a.Symlink(name, target)
	default:
		return fmt.Errorf("%s is a %s: only files, folders and links can be copied into a machine", file, info.Mode().Type())
	}
	return a.err
}

func (a *Archive) addFile(file, name string, info fs.FileInfo) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	a.AddReader(name, info.Mode(), info.Size(), in)
	return a.err
}

// Close ends the segment.
func (a *Archive) Close() error {
	a.header("TRAILER!!!", 0, 0)
	a.fail(a.out.Flush())
	return a.err
}

func (a *Archive) parents(name string) {
	if dir := path.Dir(clean(name)); dir != "." {
		a.Folder(dir, 0o755)
	}
}

func (a *Archive) header(name string, mode uint32, size int64) {
	a.entry(entry{name: clean(name), mode: mode, size: size})
}

type entry struct {
	name         string
	mode         uint32
	size         int64
	major, minor int
}

// entry writes the fixed fields of the newc format, see Documentation/driver-api/early-userspace/buffer-format.rst .
func (a *Archive) entry(e entry) {
	if e.size >= 1<<32 {
		a.fail(fmt.Errorf("%s has %d bytes: a file in an initramfs must be smaller than 4 GiB", e.name, e.size))
	}
	a.inode++
	fields := []int64{int64(a.inode), int64(e.mode), 0, 0, 1, 0, e.size, 0, 0, int64(e.major), int64(e.minor), int64(len(e.name) + 1), 0}
	var header strings.Builder
	header.WriteString("070701")
	for _, field := range fields {
		fmt.Fprintf(&header, "%08x", field)
	}
	header.WriteString(e.name + "\x00")
	a.write([]byte(header.String()))
	a.pad()
}

func (a *Archive) write(data []byte) {
	if a.err == nil {
		written, err := a.out.Write(data)
		a.written += int64(written)
		a.fail(err)
	}
}

func (a *Archive) pad() {
	a.write(make([]byte, (4-a.written%4)%4))
}

func (a *Archive) fail(err error) {
	if a.err == nil && err != nil {
		a.err = fmt.Errorf("write initramfs: %w", err)
	}
}

// clean makes names relative, as cpio wants them.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
