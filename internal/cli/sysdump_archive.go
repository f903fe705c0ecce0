// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"os"
	"path"
	"sync"
	"time"
)

// archive is a tar.gz of one folder that appears under its name only when it is whole.
type archive struct {
	file, folder string
	began        time.Time
	part         *os.File

	mu      sync.Mutex
	zip     *gzip.Writer
	tar     *tar.Writer
	written int
}

// newArchive begins a file that only its owner may read.
func newArchive(file, folder string, began time.Time) (*archive, error) {
	part, err := os.OpenFile(file+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	zip := gzip.NewWriter(part)
	return &archive{file: file, folder: folder, began: began, part: part, zip: zip, tar: tar.NewWriter(zip)}, nil
}

// add writes one file of the folder.
func (a *archive) add(name string, content []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written++
	if err := a.tar.WriteHeader(&tar.Header{
		Name: path.Join(a.folder, name), Mode: 0o600, Size: int64(len(content)), ModTime: a.began, Typeflag: tar.TypeReg,
	}); err != nil {
		return err
	}
	_, err := a.tar.Write(content)
	return err
}

// files that were added.
func (a *archive) files() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.written
}

// finish puts the archive in place.
func (a *archive) finish() error {
	err := errors.Join(a.tar.Close(), a.zip.Close(), a.part.Sync(), a.part.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(a.part.Name(), a.file); err != nil {
		return err
	}
	a.part = nil
	return nil
}

// discard removes what was not finished.
func (a *archive) discard() error {
	if a.part == nil {
		return nil
	}
	_ = a.part.Close()
	return os.Remove(a.part.Name())
}
