// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
)

// activeLSMs is where the kernel lists the security modules that it asks.
const activeLSMs = "/sys/kernel/security/lsm"

// usable says why this machine or this user cannot enforce anything.
func usable() error {
	if os.Geteuid() != 0 {
		return errors.New("only root may load programs into the kernel: run it with sudo")
	}
	if err := cgroup.Check(cgroup.Top); err != nil {
		return err
	}
	list, err := os.ReadFile(activeLSMs)
	if err != nil {
		return fmt.Errorf("whether the kernel asks BPF-LSM programs cannot be told: %w; mount it with: mount -t securityfs securityfs /sys/kernel/security", err)
	}
	return checkLSMs(strings.TrimSpace(string(list)))
}

// checkLSMs: without bpf in the list the kernel loads and attaches the programs, and never calls them.
func checkLSMs(list string) error {
	if slices.Contains(strings.Split(list, ","), "bpf") {
		return nil
	}
	return fmt.Errorf("BPF-LSM is not active: the kernel's list is %s; boot with lsm=%s,bpf", list, list)
}
