// SPDX-License-Identifier: Apache-2.0

// Package bpflsm denies in the kernel's LSM hooks, before an operation happens.
package bpflsm

import (
	"context"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// Open attaches the core to the LSM hooks, or adopts the one that an earlier agent pinned.
func Open(ctx context.Context, o enforcer.Options) (*enforcer.Core, error) {
	return sensor.Open(ctx, sensor.Options{Mode: sensor.ModeEnforce, BPFFS: o.BPFFS(), Cgroups: o.Cgroups(), Logger: o.Logger})
}
