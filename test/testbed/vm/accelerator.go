// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
)

// trialTime is more than any machine with virtualization needs to boot, and less than anybody minds waiting once.
const trialTime = 10 * time.Second

// Accelerated says whether KVM can run a kernel here. That /dev/kvm exists proves nothing: on some hosts a guest then spins for
// ever. So a machine is booted once for each boot of the host, and the cache remembers how that went.
func Accelerated(ctx context.Context, c *cache.Cache, k kernel.Kernel) (bool, error) {
	if k.Arch != runtime.GOARCH {
		return false, nil
	}
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false, nil //nolint:nilerr // without the device there is nothing to try
	}
	device.Close()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return false, fmt.Errorf("read the host's boot id: %w", err)
	}
	dir, err := c.Entry(ctx, filepath.Join("kvm", strings.TrimSpace(string(boot))), func(tmp string) error {
		return tryKVM(ctx, c, k, tmp)
	})
	if err != nil {
		return false, err
	}
	_, err = os.Stat(filepath.Join(dir, "works"))
	return err == nil, nil
}

func tryKVM(ctx context.Context, c *cache.Cache, k kernel.Kernel, result string) error {
	tmp, err := c.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	trial := Command{Cache: c, Line: "true", Timeout: trialTime}
	machine, err := trial.machine(ctx, k, tmp)
	if err != nil {
		return err
	}
	machine.KVM = true
	c.Log.Printf("KVM: booting a machine to see whether it works here, for %.0f s at most", trialTime.Seconds())
	code, err := trial.boot(ctx, machine)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || code != 0 {
		c.Log.Printf("KVM: does not work here, so processors are emulated until the host's next boot")
		return nil
	}
	c.Log.Printf("KVM: works")
	return os.WriteFile(filepath.Join(result, "works"), nil, 0o644)
}
