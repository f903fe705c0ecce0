// SPDX-License-Identifier: Apache-2.0

// Package rootfs makes what a machine boots into: an initramfs with busybox, and disk images with a Debian userland.
package rootfs

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/apt"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
)

//go:embed guest
var guest embed.FS

// RunInit is the program, for init= on the kernel's command line, that runs /testbed/command and reports its end.
const RunInit = "/testbed/run"

// virtioModules are what every machine of the testbed needs; most kernels have some of them built in.
func virtioModules() []string {
	return []string{"virtio_pci", "virtio_console", "virtio_blk", "virtio_net", "virtio_rng"}
}

// Initramfs returns the first segment of a machine's initramfs: busybox, the kernel's virtio modules and the extra ones that are
// named, and an init that mounts everything and hands over to init=, on the disk that root= names if it does.
func Initramfs(ctx context.Context, c *cache.Cache, k kernel.Kernel, modules ...string) (string, error) {
	init, err := guest.ReadFile("guest/init")
	if err != nil {
		return "", err
	}
	wanted := append(virtioModules(), modules...)
	key := sha256.Sum256(fmt.Append(init, k.Release, wanted, etc()))
	name := filepath.Join("initramfs", k.Release+"-"+hex.EncodeToString(key[:6]))
	dir, err := c.Entry(ctx, name, func(tmp string) error {
		return writeInitramfs(ctx, c, k, wanted, filepath.Join(tmp, "initramfs"))
	})
	return filepath.Join(dir, "initramfs"), err
}

// etc is what the small userland has in /etc.
func etc() map[string]string {
	return map[string]string{
		"passwd":     "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"group":      "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
		"os-release": "ID=busybox\nNAME=busybox\nPRETTY_NAME=\"busybox\"\n",
	}
}

func writeInitramfs(ctx context.Context, c *cache.Cache, k kernel.Kernel, wanted []string, path string) error {
	busybox, err := Busybox(ctx, c, k.Arch)
	if err != nil {
		return err
	}
	return WriteSegment(path, func(archive *Archive) error {
		for _, folder := range []string{"dev", "proc", "sys", "run", "tmp", "root", "etc"} {
			archive.Folder(folder, 0o755)
		}
		archive.Device("dev/console", 0o600, 5, 1)
		archive.Device("dev/null", 0o666, 1, 3)
		for file, content := range etc() {
			archive.Add("etc/"+file, 0o644, []byte(content))
		}
		if err := archive.AddTree(busybox, "bin/busybox"); err != nil {
			return err
		}
		if err := addGuest(archive, "init", "init"); err != nil {
			return err
		}
		return addModules(ctx, archive, k, wanted)
	})
}

func addGuest(archive *Archive, file, name string) error {
	script, err := guest.ReadFile("guest/" + file)
	if err == nil {
		archive.Add(name, 0o755, script)
	}
	return err
}

func addModules(ctx context.Context, archive *Archive, k kernel.Kernel, wanted []string) error {
	order, err := k.LoadOrder(wanted...)
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, module := range order {
		content, err := k.Read(ctx, module)
		if err != nil {
			return fmt.Errorf("module %s: %w", module.Name, err)
		}
		archive.Add("modules/"+module.Name+".ko", 0o644, content)
		list.WriteString(module.Name + ".ko\n")
	}
	archive.Add("modules/order", 0o644, []byte(list.String()))
	return nil
}

// WriteSegment makes a file of one initramfs segment.
func WriteSegment(path string, fill func(*Archive) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	archive := NewArchive(file)
	if err := fill(archive); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return file.Close()
}

// Busybox returns a statically linked busybox for an architecture.
func Busybox(ctx context.Context, c *cache.Cache, arch string) (string, error) {
	dir, err := c.Entry(ctx, "busybox-"+arch, func(tmp string) error {
		archive, err := apt.Open(ctx, c, arch, "bookworm")
		if err != nil {
			return err
		}
		defer archive.Release()
		return archive.Unpack(ctx, tmp, "busybox-static")
	})
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*bin/busybox"))
	if err == nil && len(found) == 0 {
		found, err = filepath.Glob(filepath.Join(dir, "usr/*bin/busybox"))
	}
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("busybox-static for %s holds no busybox: %w", arch, os.ErrNotExist)
	}
	return found[0], nil
}
