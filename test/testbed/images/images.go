// SPDX-License-Identifier: Apache-2.0

// Package images builds the container images of a fleet from Dockerfiles, without a registry and without a container engine.
package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// Names of the images that are not the product's.
const (
	// Pause is what every Pod's sandbox runs.
	Pause = "docker.io/kubearmor/testbed-pause:1"
	// Workload is the Pod that gets attacked: busybox, a secret, and a few binaries of their own to execute.
	Workload = "docker.io/kubearmor/fleet-workload:1"
)

// Agent, Operator and Relay are the names under which the product asks for its own images.
func Agent(version string) string    { return "docker.io/kubearmor/fleet-agent:" + version }
func Operator(version string) string { return "docker.io/kubearmor/fleet-operator:" + version }
func Relay(version string) string    { return "docker.io/kubearmor/fleet-relay:" + version }

// Builder builds images for any architecture: no program of an image is run while it is built.
type Builder struct {
	// Root of the project; bin/ARCH in it holds the product's binaries.
	Root string
	// Version that tags the product's images.
	Version string
	Store   *cache.Cache
}

// recipe is how one image is made.
type recipe struct {
	name, context, dockerfile, target string
}

// Build makes the images for each architecture. It returns a folder for each, which containerd can use as its root: it holds the
// images imported and unpacked, since an emulated node would need minutes for that.
func (b Builder) Build(ctx context.Context, arches ...string) (map[string]string, error) {
	if err := host.Require("buildah", "unshare"); err != nil {
		return nil, err
	}
	unlock, err := b.Store.Lock(ctx, "images")
	if err != nil {
		return nil, err
	}
	defer unlock()
	// A fresh store every time: its layers are few, and old ones would pile up.
	if err := os.RemoveAll(b.Store.Path("images")); err != nil {
		return nil, fmt.Errorf("empty the image store: %w", err)
	}
	out := map[string]string{}
	for _, arch := range arches {
		archives, err := b.buildArch(ctx, arch)
		if err != nil {
			return nil, fmt.Errorf("build images for %s: %w", arch, err)
		}
		if out[arch], err = b.unpack(ctx, arch, archives); err != nil {
			return nil, fmt.Errorf("unpack images for %s: %w", arch, err)
		}
	}
	return out, nil
}

// buildArch returns the images' archives.
func (b Builder) buildArch(ctx context.Context, arch string) ([]string, error) {
	if err := b.checkBinaries(arch); err != nil {
		return nil, err
	}
	if err := b.preparePause(ctx, arch); err != nil {
		return nil, err
	}
	if err := b.prepareWorkload(ctx, arch); err != nil {
		return nil, err
	}
	var out []string
	for i, r := range b.recipes() {
		archive := b.Store.Path("images", fmt.Sprintf("%s-%d.tar", arch, i))
		if err := b.build(ctx, r, arch, archive); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		out = append(out, archive)
	}
	return out, nil
}

func (b Builder) recipes() []recipe {
	sources := filepath.Join(b.Root, "test", "testbed", "images")
	return []recipe{
		{name: Pause, context: b.contextDir("pause"), dockerfile: filepath.Join(sources, "pause", "Dockerfile")},
		{name: Workload, context: b.contextDir("workload"), dockerfile: filepath.Join(sources, "workload", "Dockerfile")},
		{name: Agent(b.Version), context: b.Root, dockerfile: filepath.Join(b.Root, "Dockerfile"), target: "agent"},
		{name: Operator(b.Version), context: b.Root, dockerfile: filepath.Join(b.Root, "Dockerfile"), target: "operator"},
		{name: Relay(b.Version), context: b.Root, dockerfile: filepath.Join(b.Root, "Dockerfile"), target: "relay"},
	}
}

func (b Builder) contextDir(name string) string { return b.Store.Path("images", "context-"+name) }

// checkBinaries says what to do when the product was not built.
func (b Builder) checkBinaries(arch string) error {
	for _, name := range []string{"agent", "operator", "relay"} {
		if _, err := os.Stat(filepath.Join(b.Root, "bin", arch, name)); err != nil {
			return fmt.Errorf("the product's binaries are missing: run `make build`: %w", err)
		}
	}
	return nil
}

// build runs one Dockerfile.
func (b Builder) build(ctx context.Context, r recipe, arch, archive string) error {
	store := []string{"--storage-driver", "vfs", "--root", b.Store.Path("images", "store"), "--runroot", b.Store.Path("images", "run")}
	id := b.Store.Path("images", "id")
	args := append(store, "bud", "--quiet", "--isolation", "chroot", "--pull-never",
		"--platform", "linux/"+arch, "--build-arg", "TARGETARCH="+arch, "--build-arg", "VERSION="+b.Version,
		"--file", r.dockerfile, "--iidfile", id)
	if r.target != "" {
		args = append(args, "--target", r.target)
	}
	if _, err := host.Run(ctx, "buildah", append(args, r.context)...); err != nil {
		return err
	}
	image, err := os.ReadFile(id)
	if err != nil {
		return err
	}
	_, err = host.Run(ctx, "buildah", append(store, "push", "--quiet", string(image), "docker-archive:"+archive+":"+r.name)...)
	return err
}
