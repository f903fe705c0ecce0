// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/apt"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// packages of a userland that can be a Kubernetes node.
func packages() []string {
	return []string{"containerd", "runc", "containernetworking-plugins", "iproute2", "iptables", "kmod", "apparmor", "procps"}
}

// suite is the release of Debian inside the machines.
const suite = "bookworm"

// freeMiB is the space on a disk for what happens at run time. The image is sparse, so it costs nothing.
const freeMiB = 6 << 10

// Debian returns a disk image with Debian 12 for an architecture: what a minimal installation has, and what a Kubernetes node needs.
// It holds no kernel and no modules, and no init: name a program with init=, which late files of the initramfs can bring.
func Debian(ctx context.Context, c *cache.Cache, arch string) (string, error) {
	hash := sha256.Sum256(fmt.Append(nil, bootstrapOptions(arch), unconfiguredFiles(), freeMiB))
	dir, err := c.Entry(ctx, filepath.Join("debian", fmt.Sprintf("%s-%x", arch, hash[:6])), func(tmp string) error {
		if os.Geteuid() != 0 {
			return errors.New("a Debian userland can only be made by root, who may give files to other users: run this as root")
		}
		return makeDebian(ctx, c, arch, tmp)
	})
	return filepath.Join(dir, "image"), err
}

func makeDebian(ctx context.Context, c *cache.Cache, arch, into string) error {
	if err := host.Require("mmdebstrap", "mke2fs"); err != nil {
		return err
	}
	root := filepath.Join(into, "root")
	defer os.RemoveAll(root)
	if err := c.Log.Step("Debian userland for "+arch, func() error { return bootstrap(ctx, arch, root) }); err != nil {
		return err
	}
	return c.Log.Step("disk image for "+arch, func() error {
		return makeImage(ctx, root, filepath.Join(into, "image"), freeMiB)
	})
}

func bootstrap(ctx context.Context, arch, root string) error {
	sources, err := apt.Sources(suite, suite+"-security")
	if err != nil {
		return err
	}
	args := append(bootstrapOptions(arch), suite, root)
	for line := range strings.Lines(sources) {
		args = append(args, strings.TrimSpace(line))
	}
	if _, err := host.Run(ctx, "mmdebstrap", args...); err != nil {
		return err
	}
	if foreign(arch) {
		return configure(root)
	}
	return nil
}

func bootstrapOptions(arch string) []string {
	options := []string{
		"--quiet", "--architectures=" + arch, "--include=" + strings.Join(packages(), ","),
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
		`--aptopt=Acquire::Languages "none"`,
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	if foreign(arch) {
		// This machine cannot run the packages' scripts, and this variant starts from nothing.
		return append(options, "--variant=extract", "--include=?essential", "--include=?priority(required)")
	}
	return append(options, "--variant=minbase")
}

func foreign(arch string) bool { return arch != runtime.GOARCH }

// unconfiguredFiles are what the packages' scripts would have made, as far as a node needs it.
func unconfiguredFiles() map[string]string {
	return map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"etc/group":         "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n",
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
		"etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n",
		"etc/hostname":      "testbed\n",
	}
}

// configure does what the packages' scripts would have done.
func configure(root string) error {
	for name, content := range unconfiguredFiles() {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("configure userland: %w", err)
		}
	}
	for _, tool := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		err := os.Symlink("xtables-nft-multi", filepath.Join(root, "usr/sbin", tool))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("configure userland: %w", err)
		}
	}
	return nil
}
