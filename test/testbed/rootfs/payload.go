// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Payload is a command and the files it needs, as the last segment of an initramfs.
type Payload struct {
	// Line is run by sh, see RunInit.
	Line string
	// Files are absolute paths of this machine, which appear at the same place inside.
	Files []string
	// OnDisk says that the machine moves to a disk after its initramfs.
	OnDisk bool
}

// BinFolder is where machines have the project's binaries.
const BinFolder = "/usr/local/bin"

// late is the folder that init copies over the root filesystem when all is mounted.
const late = "late"

// Append writes base and then the payload to a file, and returns its size.
func (p Payload) Append(base, file string) (int64, error) {
	files, err := p.check()
	if err != nil {
		return 0, err
	}
	out, err := os.Create(file)
	if err != nil {
		return 0, fmt.Errorf("write initramfs: %w", err)
	}
	defer out.Close()
	if err = copyFile(out, base); err != nil {
		return 0, err
	}
	archive := NewArchive(out)
	if err = p.fill(archive, files); err != nil {
		return 0, err
	}
	if err = archive.Close(); err != nil {
		return 0, err
	}
	info, err := out.Stat()
	if err != nil {
		return 0, fmt.Errorf("write initramfs: %w", err)
	}
	return info.Size(), nil
}

// check the files, and return them cleaned.
func (p Payload) check() ([]string, error) {
	var files []string
	for _, file := range p.Files {
		abs, err := filepath.Abs(file)
		if err != nil {
			return nil, fmt.Errorf("file %q: %w", file, err)
		}
		if _, err := os.Stat(abs); err != nil {
			return nil, fmt.Errorf("file for the machine: %w", err)
		}
		top := strings.SplitN(abs, "/", 3)[1]
		if slices.Contains([]string{"", "dev", "proc", "sys", "testbed"}, top) {
			return nil, fmt.Errorf("file for the machine: /%s is the machine's own: copy %s elsewhere first", top, abs)
		}
		files = append(files, abs)
	}
	return files, nil
}

func (p Payload) fill(archive *Archive, files []string) error {
	run, err := guest.ReadFile("guest/run")
	if err != nil {
		return err
	}
	archive.Add(p.place(RunInit), 0o755, run)
	archive.Add(p.place("/testbed/command"), 0o644, []byte(p.Line+"\n"))
	for _, file := range files {
		if err := archive.AddTree(file, p.place(file)); err != nil {
			return fmt.Errorf("file for the machine: %w", err)
		}
	}
	return nil
}

// place of a file in the initramfs: where it will be, unless something is mounted over that later.
func (p Payload) place(file string) string {
	mounted := []string{"/tmp/", "/run/", BinFolder + "/"}
	if p.OnDisk || slices.ContainsFunc(mounted, func(folder string) bool { return strings.HasPrefix(file+"/", folder) }) {
		return path.Join(late, file)
	}
	return file
}

func copyFile(out io.Writer, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read initramfs: %w", err)
	}
	defer in.Close()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	return nil
}
