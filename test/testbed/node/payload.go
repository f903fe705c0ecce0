// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
)

// Payload is what the second disk of a node holds; nodes of one architecture and kernel share it.
type Payload struct {
	Kernel  kernel.Kernel
	Kubelet string
	// Containerd is a folder that containerd uses as its root, with all images in it: there is no registry to pull from.
	Containerd string
}

// freeKiB is room on the disk for what containers write. The image is sparse, so it costs nothing.
const freeKiB = 4 << 20

// Write makes the disk image.
func (p Payload) Write(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), "payload-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := p.collect(ctx, dir); err != nil {
		return fmt.Errorf("collect the payload of a node: %w", err)
	}
	size, err := sizeOf(dir)
	if err != nil {
		return err
	}
	kilobytes := size/1024 + freeKiB
	_, err = host.Run(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", dir, path, strconv.FormatInt(kilobytes, 10)+"k")
	return err
}

func (p Payload) collect(ctx context.Context, dir string) error {
	for source, name := range map[string]string{p.Kernel.ModulesDir: "modules", p.Kubelet: "kubelet", p.Containerd: "containerd"} {
		if _, err := host.Run(ctx, "cp", "--archive", "--reflink=auto", source, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func sizeOf(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += (info.Size() + 4095) / 4096 * 4096
		}
		return err
	})
	return total, err
}
