// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cluster"
	"github.com/kubearmor/kubearmor-operator/test/testbed/rootfs"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

// modules that a node needs from its first moment, beside those of every machine of the testbed. Any other is loaded on demand.
func modules() []string { return []string{"overlay", "bridge", "br_netfilter", "veth"} }

// Node is a machine that was booted as a member of a fleet.
type Node struct {
	Spec
	// Dir holds what is the node's own: its initramfs, its console's output, its shell's socket.
	Dir string
}

// Open describes a node of a cluster, running or not.
func Open(c *cluster.Cluster, spec Spec) *Node {
	return &Node{Spec: spec, Dir: filepath.Join(c.Dir, "nodes", spec.Name)}
}

// Console is the file that receives what kernel and init print.
func (n *Node) Console() string { return filepath.Join(n.Dir, "console.log") }

// Machine is what a node boots from. What it writes to its disks is lost with it.
type Machine struct {
	Payload Payload
	// Root is the image of Debian's userland, Disk the one that Payload.Write made.
	Root, Disk string
}

// Boot starts the machine inside the cluster's network. It lives until the cluster is stopped.
func (n *Node) Boot(ctx context.Context, store *cache.Cache, c *cluster.Cluster, m Machine) error {
	if err := os.MkdirAll(n.Dir, 0o755); err != nil {
		return err
	}
	base, err := rootfs.Initramfs(ctx, store, m.Payload.Kernel, modules()...)
	if err != nil {
		return err
	}
	identity := filepath.Join(n.Dir, "identity.cpio")
	if err := n.writeIdentity(identity, c); err != nil {
		return err
	}
	// The kernel unpacks one segment after the other.
	if err := concatenate(filepath.Join(n.Dir, "initrd"), base, identity); err != nil {
		return fmt.Errorf("make the initramfs of node %s: %w", n.Name, err)
	}
	kvm, err := vm.Accelerated(ctx, store, m.Payload.Kernel)
	if err != nil {
		return err
	}
	name, args := n.emulator(m, kvm)
	return c.Spawn("qemu-"+n.Name, name, args)
}

// emulator is the command that is the machine. Unlike the machine of a single command it may reboot, has a second disk, and
// outlives the process that starts it.
func (n *Node) emulator(m Machine, kvm bool) (string, []string) {
	name, console := "qemu-system-x86_64", "ttyS0"
	if n.Arch == "arm64" {
		name, console = "qemu-system-aarch64", "ttyAMA0"
	}
	cmdline := []string{
		"console=" + console, "no_timer_check", "quiet", "panic=5", "lsm=" + n.LSM, "root=/dev/vda", "init=/node/init", "testbed.hostname=" + n.Name,
		// What would only keep the emulator busy: guards of a CPU's speculation, zeroes in memory that is written anyway, and the
		// care of a large empty table.
		"mitigations=off", "init_on_alloc=0", "nf_conntrack.hashsize=512",
	}
	return name, append(vm.Platform(n.Arch, kvm),
		"-nodefaults", "-no-user-config", "-display", "none",
		"-smp", strconv.Itoa(n.CPUs), "-m", strconv.Itoa(n.MemoryMiB),
		"-kernel", m.Payload.Kernel.Image, "-initrd", filepath.Join(n.Dir, "initrd"), "-append", strings.Join(cmdline, " "),
		"-serial", "file:"+n.Console(),
		"-drive", "if=none,id=root,format=raw,snapshot=on,cache=unsafe,file="+m.Root, "-device", "virtio-blk-pci,drive=root",
		"-drive", "if=none,id=payload,format=raw,snapshot=on,cache=unsafe,file="+m.Disk, "-device", "virtio-blk-pci,drive=payload",
		"-netdev", "tap,id=net,script=no,downscript=no,ifname="+cluster.Tap(n.Index),
		"-device", "virtio-net-pci,netdev=net,romfile=,mac="+cluster.NodeMAC(n.Index),
		"-device", "virtio-rng-pci",
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=shell,server=on,wait=off,path="+n.shellSocket(), "-device", "virtserialport,chardev=shell,name=testbed.shell",
		"-qmp", "unix:"+n.monitorSocket()+",server=on,wait=off",
	)
}

func concatenate(into string, parts ...string) error {
	out, err := os.Create(into)
	if err != nil {
		return err
	}
	defer out.Close()
	for _, part := range parts {
		in, err := os.Open(part)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		in.Close()
		if err != nil {
			return err
		}
	}
	return out.Close()
}
