// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Addresses inside a fleet's network namespace. They are the same in every fleet: nothing outside can see them.
const (
	// Gateway is the bridge's address: the API server's, and every node's default route.
	Gateway = "10.99.0.1"
	// ServiceAddress is the kubernetes Service's ClusterIP. The API server's own machine holds it, so that Pods
	// reach it by plain routing and no node needs kube-proxy.
	ServiceAddress = "10.96.0.1"

	bridge       = "br0"
	serviceRange = "10.96.0.0/16"
)

// Network is a network namespace with a bridge, a tap for each node and one link to the host.
type Network struct {
	// Namespace is its name in `ip netns list`.
	Namespace string
	// HostLink is the name of the link's end on the host.
	HostLink string
	// Address of the API server as the host reaches it.
	Address string
}

// NodeAddress is the address of the node with that index, counted from 1.
func NodeAddress(index int) string { return fmt.Sprintf("10.99.0.%d", 10+index) }

// PodRange is what a node's Pods get their addresses from.
func PodRange(index int) string { return fmt.Sprintf("10.244.%d.0/24", index) }

// NodeMAC is the node's hardware address.
func NodeMAC(index int) string { return fmt.Sprintf("52:54:00:99:00:%02x", 10+index) }

// Tap is the name of the node's end of the bridge.
func Tap(index int) string { return "tap" + strconv.Itoa(index) }

// newNetwork names the network of a fleet. Names of networks belong to the whole machine, and a fleet to one checkout: the
// hash of its folder keeps two checkouts from taking each other's fleets down.
func newNetwork(fleet, dir string) *Network {
	sum := sha256.Sum256([]byte(dir))
	checkout := hex.EncodeToString(sum[:4])
	return &Network{Namespace: "kubearmor-" + fleet + "-" + checkout, HostLink: "ka-" + checkout}
}

// create makes the namespace and what is in it, for so many nodes.
func (n *Network) create(ctx context.Context, nodes int) error {
	host, address, err := freeLink()
	if err != nil {
		return err
	}
	n.Address = address
	if err := ip(ctx, "netns", "add", n.Namespace); err != nil {
		return err
	}
	if err := n.configure(ctx, nodes); err != nil {
		return err
	}
	if err := ip(ctx, "link", "add", n.HostLink, "type", "veth", "peer", "name", "host0", "netns", n.Namespace); err != nil {
		return err
	}
	if err := n.ip(ctx, "address add "+address+"/30 dev host0", "link set host0 up"); err != nil {
		return err
	}
	return batch(ctx, nil, "address add "+host+"/30 dev "+n.HostLink, "link set "+n.HostLink+" up")
}

func (n *Network) configure(ctx context.Context, nodes int) error {
	lines := []string{
		"link set lo up",
		"address add " + ServiceAddress + "/32 dev lo",
		"link add " + bridge + " type bridge forward_delay 0",
		"address add " + Gateway + "/24 dev " + bridge,
		"link set " + bridge + " up",
	}
	for i := 1; i <= nodes; i++ {
		lines = append(lines,
			"tuntap add dev "+Tap(i)+" mode tap",
			"link set "+Tap(i)+" master "+bridge+" up",
			"route add "+PodRange(i)+" via "+NodeAddress(i))
	}
	return n.ip(ctx, lines...)
}

// ip runs commands of ip(8) inside the namespace.
func (n *Network) ip(ctx context.Context, lines ...string) error {
	return batch(ctx, []string{"-n", n.Namespace}, lines...)
}

// Exists says whether the namespace is there.
func (n *Network) Exists() bool {
	_, err := os.Stat(filepath.Join("/run/netns", n.Namespace))
	return err == nil
}

// Command prepares a program to run inside the namespace.
func (n *Network) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	enter := []string{"--net=" + filepath.Join("/run/netns", n.Namespace), "--", name}
	return exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
}

// processes that run inside the namespace: all of them are the fleet's.
func (n *Network) processes(ctx context.Context) ([]int, error) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "pids", n.Namespace).Output()
	if err != nil {
		return nil, fmt.Errorf("list the processes of %s: %w", n.Namespace, err)
	}
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("list the processes of %s: %q is no process id", n.Namespace, field)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// remove deletes the link to the host and the namespace; the kernel then deletes the taps and the bridge.
func (n *Network) remove(ctx context.Context) error {
	// The link goes at once; with the namespace alone it would go only when the kernel gets round to it.
	if _, err := net.InterfaceByName(n.HostLink); err == nil {
		if err := ip(ctx, "link", "delete", n.HostLink); err != nil {
			return err
		}
	}
	return ip(ctx, "netns", "delete", n.Namespace)
}

// freeLink finds a pair of addresses that no interface of the host uses.
func freeLink() (host, inside string, err error) {
	taken, err := net.InterfaceAddrs()
	if err != nil {
		return "", "", err
	}
	for third := range 256 {
		if prefix := fmt.Sprintf("10.98.%d.", third); !covered(taken, net.ParseIP(prefix+"2")) {
			return prefix + "1", prefix + "2", nil
		}
	}
	return "", "", fmt.Errorf("no free address in 10.98.0.0/16 on this machine: remove fleets with `testbed down`")
}

func covered(taken []net.Addr, ip net.IP) bool {
	for _, addr := range taken {
		if prefix, ok := addr.(*net.IPNet); ok && prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// batch feeds commands to one run of ip(8).
func batch(ctx context.Context, flags []string, lines ...string) error {
	cmd := exec.CommandContext(ctx, "ip", append(flags, "-batch", "-")...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(lines, "; "), err, bytes.TrimSpace(out))
	}
	return nil
}

func ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
