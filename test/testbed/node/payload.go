// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
	"github.com/kubearmor/kubearmor-operator/test/testbed/images"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
)

// Payload is what the second disk of a node holds; nodes of one architecture and kernel share it.
type Payload struct {
	Kernel  kernel.Kernel
	Kubelet string
	// Images that are imported before the kubelet starts. The first is the pause image, which holds every Pod's namespaces.
	Images []images.Image
}

func (p Payload) pause() string { return p.Images[0].Name }

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
	// A quarter more and 16 MiB for inodes and block maps; the image is sparse.
	kilobytes := size/1024*5/4 + 16*1024
	_, err = host.Run(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", dir, path, strconv.FormatInt(kilobytes, 10)+"k")
	return err
}

func (p Payload) collect(ctx context.Context, dir string) error {
	images := filepath.Join(dir, "images")
	if err := os.MkdirAll(images, 0o755); err != nil {
		return err
	}
	if _, err := host.Run(ctx, "cp", "-r", p.Kernel.ModulesDir, filepath.Join(dir, "modules")); err != nil {
		return err
	}
	if _, err := host.Run(ctx, "cp", "--reflink=auto", p.Kubelet, filepath.Join(dir, "kubelet")); err != nil {
		return err
	}
	for i, image := range p.Images {
		base := filepath.Join(images, strconv.Itoa(i))
		if _, err := host.Run(ctx, "cp", "--reflink=auto", image.Archive, base+".tar"); err != nil {
			return err
		}
		if err := os.WriteFile(base+".name", []byte(image.Name), 0o644); err != nil {
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
