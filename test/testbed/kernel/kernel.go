// SPDX-License-Identifier: Apache-2.0

// Package kernel brings Debian's own kernels, the ones for virtual machines, of several lines and architectures.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/apt"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// Kernel is an unpacked kernel with its modules.
type Kernel struct {
	// Release is what uname -r says.
	Release string
	// Arch is Debian's name of the architecture: amd64 or arm64.
	Arch string
	// Image is the file that boots.
	Image string
	// ModulesDir holds the modules and modules.dep, and is /lib/modules/Release inside a machine.
	ModulesDir string
}

// line says where Debian keeps a kernel line. ARCH in the name stands for the architecture.
type line struct {
	version string
	suites  []string
	// name is a regular expression of the package that holds the image.
	name string
}

func lines() []line {
	return []line{
		{"5.10", []string{"bullseye", "bullseye-security"}, `linux-image-5\.10\.0-[0-9]+-cloud-ARCH`},
		{"6.1", []string{"bookworm", "bookworm-security"}, `linux-image-6\.1\.0-[0-9]+-cloud-ARCH`},
		{"6.12", []string{"bookworm-backports", "bookworm-security"}, `linux-image-6\.12\.[0-9.]+\+deb12[0-9.]*-cloud-ARCH`},
		{"7.2", []string{"sid"}, `linux-binary-7\.2\.[0-9.]+\+deb[0-9.]+-cloud-ARCH`},
	}
}

// Versions are the kernel lines that Fetch knows.
func Versions() []string {
	var versions []string
	for _, l := range lines() {
		versions = append(versions, l.version)
	}
	return versions
}

// Arches are the architectures that Fetch knows.
func Arches() []string { return []string{"amd64", "arm64"} }

// Fetch returns the newest kernel of a line for an architecture: from the cache, or else from Debian's archive.
func Fetch(ctx context.Context, c *cache.Cache, version, arch string) (Kernel, error) {
	index := slices.IndexFunc(lines(), func(l line) bool { return l.version == version })
	if index < 0 {
		return Kernel{}, fmt.Errorf("unknown kernel %q: use one of %s", version, strings.Join(Versions(), ", "))
	}
	if !slices.Contains(Arches(), arch) {
		return Kernel{}, fmt.Errorf("unknown architecture %q: use one of %s", arch, strings.Join(Arches(), ", "))
	}
	dir, err := c.Entry(ctx, filepath.Join("kernel", version+"-"+arch), func(tmp string) error {
		return fetch(ctx, c, lines()[index], arch, tmp)
	})
	if err != nil {
		return Kernel{}, err
	}
	return open(dir, arch)
}

// open finds the one kernel in a cache entry.
func open(dir, arch string) (Kernel, error) {
	found, err := filepath.Glob(filepath.Join(dir, "lib/modules/*"))
	if err != nil || len(found) != 1 {
		return Kernel{}, fmt.Errorf("damaged cache entry %s: %d kernels in it instead of one; remove it", dir, len(found))
	}
	return Kernel{
		Release:    filepath.Base(found[0]),
		Arch:       arch,
		Image:      filepath.Join(dir, "vmlinuz"),
		ModulesDir: found[0],
	}, nil
}

func fetch(ctx context.Context, c *cache.Cache, l line, arch, into string) error {
	if err := host.Require("depmod", "xz"); err != nil {
		return err
	}
	archive, err := apt.Open(ctx, c, arch, l.suites...)
	if err != nil {
		return err
	}
	defer archive.Release()
	names, err := archive.Names(ctx, strings.ReplaceAll(l.name, "ARCH", arch))
	if err != nil {
		return err
	}
	// The archive's lists may name what its pool has dropped, so older ones are tried in turn.
	for _, name := range names {
		err = unpack(ctx, archive, name, into)
		if !errors.Is(err, apt.ErrNotServed) {
			return err
		}
		c.Log.Printf("%s is listed, but not served: trying the one before", name)
	}
	return fmt.Errorf("no kernel %s for %s in %s: %d listed, none served", l.version, arch, strings.Join(l.suites, ", "), len(names))
}

func unpack(ctx context.Context, archive *apt.Archive, name, into string) error {
	tmp := filepath.Join(into, "deb")
	defer os.RemoveAll(tmp)
	if err := archive.Unpack(ctx, tmp, packagesOf(name)...); err != nil {
		return err
	}
	if err := arrange(tmp, into); err != nil {
		return err
	}
	kernel, err := open(into, "")
	if err != nil {
		return err
	}
	_, err = host.Run(ctx, "depmod", "-b", into, kernel.Release)
	return err
}

// packagesOf a kernel: since 7.0 Debian splits the image from its modules and from the lists that depmod wants.
func packagesOf(name string) []string {
	rest, split := strings.CutPrefix(name, "linux-binary-")
	if !split {
		return []string{name}
	}
	return []string{name, "linux-modules-" + rest, "linux-base-" + rest}
}

// arrange gives both of Debian's layouts one form: vmlinuz and lib/modules/RELEASE.
func arrange(unpacked, into string) error {
	modules := filepath.Join(unpacked, "lib/modules")
	if _, err := os.Stat(modules); err != nil {
		modules = filepath.Join(unpacked, "usr/lib/modules")
	}
	images, err := filepath.Glob(filepath.Join(unpacked, "boot/vmlinuz-*"))
	if err != nil {
		return err
	}
	inModules, err := filepath.Glob(filepath.Join(modules, "*/vmlinuz"))
	if err != nil {
		return err
	}
	images = append(images, inModules...)
	if len(images) != 1 {
		return fmt.Errorf("the kernel's packages hold %d images instead of one", len(images))
	}
	if err := os.Rename(images[0], filepath.Join(into, "vmlinuz")); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(into, "lib"), 0o755); err != nil {
		return err
	}
	return os.Rename(modules, filepath.Join(into, "lib/modules"))
}
