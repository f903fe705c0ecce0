// SPDX-License-Identifier: Apache-2.0

// Package observe reports what policies would deny on a node whose kernel cannot deny it.
package observe

import (
	"context"
	"fmt"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// Open attaches the core to tracing hooks. Nothing is pinned: without a reader there is nothing to observe for. What an
// enforcing agent left behind on the node is taken away first, so that nothing is denied unseen.
func Open(ctx context.Context, o enforcer.Options) (*enforcer.Core, error) {
	if err := enforcer.Detach(o); err != nil {
		return nil, fmt.Errorf("detach an earlier core: %w", err)
	}
	return sensor.Open(ctx, sensor.Options{Mode: sensor.ModeObserve, Cgroups: o.Cgroups(), Logger: o.Logger})
}
