// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
)

// CollectLogs saves what explains a failure before the fleet is removed, and returns the folder. What cannot be read is left out:
// the fleet may be half up.
func (f *Fleet) CollectLogs() (string, error) {
	// The caller's context may be the one that was cancelled.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := filepath.Join(f.Root, ".cache", "fleet", "logs", f.Name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if _, err := os.Stat(f.Cluster.LogDir()); err == nil {
		if err := os.CopyFS(filepath.Join(dir, "control-plane"), os.DirFS(f.Cluster.LogDir())); err != nil {
			return dir, fmt.Errorf("save the control plane's logs: %w", err)
		}
	}
	f.collectObjects(ctx, dir)
	for _, n := range f.Nodes {
		collectNode(ctx, n, filepath.Join(dir, n.Name))
	}
	return dir, nil
}

// collectObjects saves what the API server knows.
func (f *Fleet) collectObjects(ctx context.Context, dir string) {
	f.kubectlTo(ctx, filepath.Join(dir, "objects.txt"), "get", "nodes,kac,kan,ksp,daemonsets,deployments,pods", "-A", "-o", "wide")
	f.kubectlTo(ctx, filepath.Join(dir, "ours.yaml"), "get", "kac,kan,ksp", "-A", "-o", "yaml")
	f.kubectlTo(ctx, filepath.Join(dir, "events.txt"), "get", "events", "-A", "--sort-by=.lastTimestamp")
	f.kubectlTo(ctx, filepath.Join(dir, "pods.txt"), "describe", "pods", "-A")
	pods, err := f.kubectl(ctx, "get", "pods", "-A", "-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}`).Output()
	if err != nil {
		return
	}
	for _, pod := range strings.Fields(string(pods)) {
		namespace, name, _ := strings.Cut(pod, "/")
		f.kubectlTo(ctx, filepath.Join(dir, "pod-"+name+".log"), "-n", namespace, "logs", name, "--all-containers", "--prefix")
		f.kubectlTo(ctx, filepath.Join(dir, "pod-"+name+".previous.log"), "-n", namespace, "logs", name, "--all-containers", "--prefix", "--previous")
	}
}

func (f *Fleet) kubectl(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, f.Kubectl(), append([]string{"--kubeconfig", f.Kubeconfig(), "--request-timeout=10s"}, args...)...)
}

func (f *Fleet) kubectlTo(ctx context.Context, path string, args ...string) {
	if out, _ := f.kubectl(ctx, args...).CombinedOutput(); len(out) > 0 {
		_ = os.WriteFile(path, out, 0o644)
	}
}

// collectNode saves a machine's console, and over its shell what containerd and kubelet wrote.
func collectNode(ctx context.Context, n *node.Node, dir string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return
	}
	if console, err := os.ReadFile(n.Console()); err == nil {
		_ = os.WriteFile(filepath.Join(dir, "console.log"), console, 0o644)
	}
	for name, command := range map[string]string{
		"containerd.log": "cat /var/log/containerd.log",
		"kubelet.log":    "cat /var/log/kubelet.log",
		"dmesg.log":      "dmesg",
		"state.txt":      "uptime; ps axf; df -h; find /sys/fs/bpf; cat /sys/kernel/security/lsm",
	} {
		limit, cancel := context.WithTimeout(ctx, 10*time.Second)
		out, _ := n.Run(limit, command)
		cancel()
		_ = os.WriteFile(filepath.Join(dir, name), []byte(out), 0o644)
	}
}
