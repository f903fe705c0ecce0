// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kubearmor/kubearmor-operator/test/testbed/rootfs"
)

// What the workload holds for the demo and the tests to work on.
const (
	// BlockedTool and AllowedTool are executables of their own, not links, so that a policy on one leaves the other alone.
	BlockedTool = "/usr/bin/wget"
	AllowedTool = "/usr/bin/id"
	// SecretFile must not be read; PublicFile may.
	SecretFile = "/etc/secret/token"
	PublicFile = "/etc/motd"
	// Secret is the content of SecretFile.
	Secret = "the-secret-of-this-workload"
)

// preparePause compiles the pause program into its build context.
func (b Builder) preparePause(ctx context.Context, arch string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w",
		"-o", filepath.Join(b.contextDir("pause"), arch, "pause"), "./test/testbed/images/pause")
	cmd.Dir = b.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the pause program: %w: %s", err, out)
	}
	return nil
}

// prepareWorkload lays out the workload's root: busybox under its usual names, and copies under the names that policies are about.
func (b Builder) prepareWorkload(ctx context.Context, arch string) error {
	busybox, err := rootfs.Busybox(ctx, b.Store, arch)
	if err != nil {
		return err
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	root := filepath.Join(b.contextDir("workload"), arch)
	for _, name := range []string{"/bin/busybox", BlockedTool, AllowedTool} {
		if err := place(root, name, program, 0o755); err != nil {
			return err
		}
	}
	for _, applet := range []string{"sh", "sleep", "cat", "ls", "ln", "mv", "cp", "rm", "echo", "mkdir", "nsenter", "ps", "true", "seq", "head", "tail", "grep", "wc"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			return err
		}
	}
	if err := place(root, SecretFile, []byte(Secret+"\n"), 0o644); err != nil {
		return err
	}
	return place(root, PublicFile, []byte("welcome\n"), 0o644)
}

func place(root, name string, content []byte, mode os.FileMode) error {
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, mode)
}
