// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/vm/run/script"
)

// prepare makes the files that an operation needs. Anybody may do anything to them: only policies are to deny.
func prepare(op script.Operation) error {
	if op.Source != "" && op.Source != script.Worker {
		if err := makeProgram(op.Source, 0); err != nil {
			return err
		}
	}
	if op.Memory || op.Path == "" || strings.HasPrefix(op.Path, "/proc/") {
		return nil
	}
	switch op.Op {
	case "exec", "map":
		return makeProgram(op.Path, op.Owner)
	case "read", "write", "chmod", "delete":
		return makeFile(op.Path, op.Owner)
	case "create":
		return makeFolder(op.Path)
	case "rename", "link":
		return errors.Join(makeFile(op.Path, op.Owner), makeFolder(op.NewPath))
	}
	return nil
}

func makeFolder(file string) error {
	folder := filepath.Dir(file)
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.Chmod(folder, 0o777)
}

// makeProgram copies the worker: a hard link would be another name of one object.
func makeProgram(file string, owner uint32) error {
	if err := makeFolder(file); err != nil {
		return err
	}
	in, err := os.Open(script.Worker)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	// A symlink of that name, to busybox for instance, is to be the worker itself.
	if info, err := os.Lstat(file); err == nil && info.Mode()&os.ModeSymlink != 0 {
		if err := os.Remove(file); err != nil {
			return err
		}
	} else if err == nil {
		return os.Chown(file, int(owner), 0)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Chown(file, int(owner), 0), os.Chmod(file, 0o755))
}

func makeFile(file string, owner uint32) error {
	if err := makeFolder(file); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte("content\n"), 0o666); err != nil {
		return err
	}
	return errors.Join(os.Chown(file, int(owner), 0), os.Chmod(file, 0o666))
}
