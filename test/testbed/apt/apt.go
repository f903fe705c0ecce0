// SPDX-License-Identifier: Apache-2.0

// Package apt fetches packages of any Debian suite and architecture without touching the machine's own apt.
package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// ErrNotServed is what Download fails with when the archive lists a package and does not have it (any more).
var ErrNotServed = errors.New("listed by the archive, but not served")

// Archive is a set of suites, seen as a machine of one architecture sees them. Release it when done.
type Archive struct {
	cache   *cache.Cache
	dir     string
	options []string
	unlock  func()
}

// Open downloads the suites' package lists and holds them for this process.
func Open(ctx context.Context, c *cache.Cache, arch string, suites ...string) (*Archive, error) {
	if err := host.Require("apt-get", "apt-cache", "dpkg"); err != nil {
		return nil, err
	}
	name := filepath.Join("apt", arch+"-"+strings.Join(suites, "-"))
	unlock, err := c.Lock(ctx, name)
	if err != nil {
		return nil, err
	}
	archive := &Archive{cache: c, dir: c.Path(name), unlock: unlock}
	archive.options = archive.separate(arch)
	if err := archive.update(ctx, suites); err != nil {
		unlock()
		return nil, err
	}
	return archive, nil
}

// Release lets other processes use these lists.
func (a *Archive) Release() { a.unlock() }

// separate points apt away from the machine's own lists, cache and sources. The machine's other settings, such as a proxy, stay.
func (a *Archive) separate(arch string) []string {
	settings := []string{
		"Dir::Etc::sourcelist=" + filepath.Join(a.dir, "sources.list"),
		"Dir::Etc::sourceparts=/dev/null",
		"Dir::State::lists=" + filepath.Join(a.dir, "lists"),
		"Dir::Cache=" + filepath.Join(a.dir, "cache"),
		"APT::Architecture=" + arch,
		"APT::Architectures=" + arch,
		"Acquire::Languages=none",
		"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"APT::Sandbox::User=root",
	}
	var options []string
	for _, setting := range settings {
		options = append(options, "-o", setting)
	}
	return options
}

func (a *Archive) update(ctx context.Context, suites []string) error {
	sources, err := Sources(suites...)
	if err != nil {
		return err
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, sub), 0o755); err != nil {
			return fmt.Errorf("make apt's folders: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.dir, "sources.list"), []byte(sources), 0o644); err != nil {
		return fmt.Errorf("write apt's sources: %w", err)
	}
	return a.cache.Log.Step("package lists of "+strings.Join(suites, ", "), func() error {
		_, err := host.Run(ctx, "apt-get", append(a.options, "-q", "update")...)
		return err
	})
}

// Names of the packages whose whole name matches a POSIX extended regular expression, in order of version, newest first.
func (a *Archive) Names(ctx context.Context, pattern string) ([]string, error) {
	out, err := host.Run(ctx, "apt-cache", append(a.options, "search", "--names-only", "^"+pattern+"$")...)
	if err != nil {
		return nil, err
	}
	names := parseNames(string(out))
	slices.SortFunc(names, func(x, y string) int { return compareVersions(y, x) })
	return names, nil
}

// parseNames reads "name - description" lines.
func parseNames(listing string) []string {
	var names []string
	for line := range strings.Lines(listing) {
		if name, _, ok := strings.Cut(line, " - "); ok {
			names = append(names, name)
		}
	}
	return names
}

// Unpack downloads packages and unpacks them into a folder. Nothing is installed and no script of a package runs.
func (a *Archive) Unpack(ctx context.Context, into string, packages ...string) error {
	tmp, err := a.cache.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err = a.download(ctx, tmp, packages); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := host.Run(ctx, "dpkg", "-x", deb, into); err != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
		}
	}
	return nil
}

func (a *Archive) download(ctx context.Context, into string, packages []string) error {
	// apt-get download writes to the current folder, so a shell changes there first.
	args := append([]string{"-c", `cd "$1" && shift && exec apt-get "$@"`, "sh", into}, a.options...)
	args = append(append(args, "-q", "download"), packages...)
	served := true
	err := a.cache.Log.Step("download "+strings.Join(packages, ", "), func() error {
		_, err := host.Run(ctx, "sh", args...)
		served = err == nil || !strings.Contains(err.Error(), "404")
		if !served {
			return nil
		}
		return err
	})
	if !served {
		return ErrNotServed
	}
	return err
}
