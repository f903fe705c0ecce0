// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/apt"
	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// containerdLimit bounds the start of containerd: it takes a tenth of a second.
const containerdLimit = 30 * time.Second

// containerdConfig of the one that unpacks. It runs nothing.
const containerdConfig = `version = 2
root = "DIR/root"
state = "DIR/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "DIR/sock"
`

// unpack imports archives into a containerd root. The nodes' own containerd is of the same Debian package, so it can go on with it.
func (b Builder) unpack(ctx context.Context, arch string, archives []string) (string, error) {
	tools, err := b.containerd(ctx)
	if err != nil {
		return "", err
	}
	dir := b.Store.Path("images", "containerd-"+arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	stop, err := startContainerd(ctx, tools, dir)
	if err != nil {
		return "", err
	}
	for _, archive := range archives {
		if err := ctr(ctx, tools, dir, "images", "import", "--platform", "linux/"+arch, archive); err != nil {
			return "", errors.Join(err, stop())
		}
	}
	return filepath.Join(dir, "root"), stop()
}

// containerd returns a folder with Debian's containerd and ctr for this machine. Neither is installed.
func (b Builder) containerd(ctx context.Context) (string, error) {
	dir, err := b.Store.Entry(ctx, "containerd-"+runtime.GOARCH, func(tmp string) error {
		archive, err := apt.Open(ctx, b.Store, runtime.GOARCH, "bookworm", "bookworm-security")
		if err != nil {
			return err
		}
		defer archive.Release()
		return archive.Unpack(ctx, tmp, "containerd")
	})
	return filepath.Join(dir, "usr", "bin"), err
}

// startContainerd returns when it answers. What it mounts, only it sees.
func startContainerd(ctx context.Context, tools, dir string) (stop func() error, err error) {
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(containerdConfig, "DIR", dir)), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", filepath.Join(tools, "containerd"), "--config", config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start containerd: %w", err)
	}
	stop = func() error { return stopContainerd(cmd) }
	limit, cancel := context.WithTimeout(ctx, containerdLimit)
	defer cancel()
	for {
		err := ctr(limit, tools, dir, "version")
		if err == nil {
			return stop, nil
		}
		select {
		case <-limit.Done():
			return nil, errors.Join(fmt.Errorf("containerd does not answer within %s (its log: %s): %w", containerdLimit, log.Name(), err), stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stopContainerd lets it finish its writes.
func stopContainerd(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop containerd: %w", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("stop containerd: %w", err)
	}
	return nil
}

func ctr(ctx context.Context, tools, dir string, args ...string) error {
	_, err := host.Run(ctx, filepath.Join(tools, "ctr"), append([]string{"--address", filepath.Join(dir, "sock"), "--namespace", "k8s.io"}, args...)...)
	return err
}
