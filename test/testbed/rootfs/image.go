// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
)

// Binaries makes a disk image of programs, to be mounted on BinFolder. A machine reads of a disk what it needs; an initramfs it
// unpacks whole, which takes seconds where processors are emulated.
func Binaries(ctx context.Context, programs []string, image string) error {
	if err := host.Require("mke2fs"); err != nil {
		return err
	}
	folder := image + ".d"
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for _, program := range programs {
		if err := linkOrCopy(program, filepath.Join(folder, filepath.Base(program))); err != nil {
			return fmt.Errorf("program for the machine: %w", err)
		}
	}
	return makeImage(ctx, folder, image, 64)
}

func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Modules returns a disk image with a kernel's modules, to be mounted on /lib/modules/RELEASE.
func Modules(ctx context.Context, c *cache.Cache, k kernel.Kernel) (string, error) {
	dir, err := c.Entry(ctx, filepath.Join("modules", k.Release), func(tmp string) error {
		if err := host.Require("mke2fs"); err != nil {
			return err
		}
		return c.Log.Step("disk image of the modules of "+k.Release, func() error {
			return makeImage(ctx, k.ModulesDir, filepath.Join(tmp, "image"), 0)
		})
	})
	return filepath.Join(dir, "image"), err
}

// makeImage makes an ext4 image of a folder, which nobody has to mount for that.
func makeImage(ctx context.Context, folder, image string, freeMiB int64) error {
	size, err := sizeOf(folder)
	if err != nil {
		return fmt.Errorf("measure %s: %w", folder, err)
	}
	// A quarter more and 16 MiB are for inodes and block maps.
	kibibytes := size>>10*5/4 + 16<<10 + freeMiB<<10
	_, err = host.Run(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", folder, image, strconv.FormatInt(kibibytes, 10)+"k")
	return err
}

// sizeOf a folder as blocks of 4 KiB store it.
func sizeOf(folder string) (int64, error) {
	var total int64
	err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += (info.Size() + 4095) &^ 4095
		}
		return err
	})
	return total, err
}
