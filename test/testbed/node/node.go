// SPDX-License-Identifier: Apache-2.0

// Package node makes a virtual machine a Kubernetes node: a Debian kernel and userland, containerd, and the real kubelet.
package node

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cluster"
	"github.com/kubearmor/kubearmor-operator/test/testbed/images"
	"github.com/kubearmor/kubearmor-operator/test/testbed/rootfs"
)

//go:embed guest
var guest embed.FS

// Spec says what kind of node to make.
type Spec struct {
	Name string
	// Index of the node in its fleet, from 1: it gives the node its addresses.
	Index int
	// Arch is amd64 or arm64, Kernel a line such as 6.12, LSM what follows lsm= on the kernel's command line.
	Arch, Kernel, LSM string
	CPUs, MemoryMiB   int
}

// BPFLSM says whether the kernel is told to have BPF among its LSMs.
func (s Spec) BPFLSM() bool { return slices.Contains(strings.Split(s.LSM, ","), "bpf") }

// peers of a node, by index: all other nodes of a fleet of that size.
func (s Spec) peers(fleet int) []int {
	var out []int
	for i := 1; i <= fleet; i++ {
		if i != s.Index {
			out = append(out, i)
		}
	}
	return out
}

// settings are the shell variables that the node's init reads.
func (s Spec) settings(fleet int) string {
	var routes []string
	for _, peer := range s.peers(fleet) {
		routes = append(routes, cluster.PodRange(peer)+"@"+cluster.NodeAddress(peer))
	}
	machine := sha256.Sum256([]byte(s.Name))
	return fmt.Sprintf("NODE=%s\nADDRESS=%s\nGATEWAY=%s\nROUTES='%s'\nMACHINE_ID=%s\n",
		s.Name, cluster.NodeAddress(s.Index), cluster.Gateway, strings.Join(routes, " "), hex.EncodeToString(machine[:16]))
}

// writeIdentity makes the initramfs segment that tells the machine which node it is. Its init copies what is below late/ to the
// root disk before it hands over.
func (s Spec) writeIdentity(path string, c *cluster.Cluster) error {
	files, err := s.identity(c)
	if err != nil {
		return fmt.Errorf("make the identity of node %s: %w", s.Name, err)
	}
	return rootfs.WriteSegment(path, func(archive *rootfs.Archive) error {
		for name, content := range files {
			archive.Add("late/node/"+name, 0o600, content)
		}
		return addPrograms(archive)
	})
}

func addPrograms(archive *rootfs.Archive) error {
	for file, name := range map[string]string{"init.sh": "init", "bpf-objects": "bpf-objects"} {
		program, err := guest.ReadFile("guest/" + file)
		if err != nil {
			return err
		}
		archive.Add("late/node/"+name, 0o755, program)
	}
	return nil
}

// identity is the content of /node on the machine.
func (s Spec) identity(c *cluster.Cluster) (map[string][]byte, error) {
	serving, err := c.Authority.Issue(cluster.Subject{
		Name: s.Name, DNS: []string{s.Name}, IPs: []string{cluster.NodeAddress(s.Index)},
	})
	if err != nil {
		return nil, err
	}
	kubeconfig, err := c.UserKubeconfig("https://"+cluster.Gateway, cluster.Subject{Name: "system:node:" + s.Name, Group: "system:nodes"})
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"env":             []byte(s.settings(c.Nodes)),
		"kubeconfig":      kubeconfig,
		"pki/ca.crt":      c.Authority.PEM(),
		"pki/kubelet.crt": serving.Cert,
		"pki/kubelet.key": serving.Key,
	}
	variables := strings.NewReplacer("PAUSE_IMAGE", images.Pause, "POD_RANGE", cluster.PodRange(s.Index))
	for _, name := range []string{"kubelet.yaml", "containerd.toml", "cni.conflist"} {
		content, err := guest.ReadFile("guest/" + name)
		if err != nil {
			return nil, err
		}
		files[name] = []byte(variables.Replace(string(content)))
	}
	return files, nil
}
