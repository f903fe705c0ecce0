// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/kubearmor/kubearmor-operator/test/testbed/binaries"
	"github.com/kubearmor/kubearmor-operator/test/testbed/images"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
	"github.com/kubearmor/kubearmor-operator/test/testbed/rootfs"
)

// prepare makes everything that the nodes boot from, one machine for each node, in their order.
func (f *Fleet) prepare(ctx context.Context) ([]node.Machine, error) {
	arches := f.arches()
	selection := binaries.HostFleet
	if !slices.Equal(arches, []string{runtime.GOARCH}) {
		selection = binaries.All
	}
	if err := binaries.Build(ctx, f.log, f.Root, selection); err != nil {
		return nil, err
	}
	builder := images.Builder{Root: f.Root, Version: f.Version, Store: f.store}
	var built map[string]string
	err := f.log.Step("container images", func() (err error) {
		built, err = builder.Build(ctx, arches...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.Cluster.Dir, 0o755); err != nil {
		return nil, err
	}
	disks := map[string]node.Machine{}
	var machines []node.Machine
	for _, n := range f.Nodes {
		kind := n.Arch + "-" + n.Kernel
		if _, ok := disks[kind]; !ok {
			if disks[kind], err = f.machine(ctx, n.Spec, built[n.Arch]); err != nil {
				return nil, err
			}
		}
		machines = append(machines, disks[kind])
	}
	return machines, nil
}

// machine is what nodes of one architecture and kernel share.
func (f *Fleet) machine(ctx context.Context, spec node.Spec, containerd string) (node.Machine, error) {
	k, err := kernel.Fetch(ctx, f.store, spec.Kernel, spec.Arch)
	if err != nil {
		return node.Machine{}, err
	}
	root, err := rootfs.Debian(ctx, f.store, spec.Arch)
	if err != nil {
		return node.Machine{}, err
	}
	m := node.Machine{
		Payload: node.Payload{Kernel: k, Kubelet: filepath.Join(binaries.Dir(f.Root, spec.Arch), "kubelet"), Containerd: containerd},
		Root:    root,
		Disk:    filepath.Join(f.Cluster.Dir, "payload-"+spec.Arch+"-"+spec.Kernel+".img"),
	}
	return m, f.log.Step("disk of "+spec.Arch+" nodes with kernel "+spec.Kernel, func() error { return m.Payload.Write(ctx, m.Disk) })
}

func (f *Fleet) arches() []string {
	var out []string
	for _, n := range f.Nodes {
		out = append(out, n.Arch)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
