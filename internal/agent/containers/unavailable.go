// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"context"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/root"
)

// Unavailable stands for the containers of a node that cannot be told apart: it has no cgroup v2, or no known runtime.
type Unavailable struct{ Err error }

// Run waits for ctx to end.
func (u Unavailable) Run(ctx context.Context, _ func()) { <-ctx.Done() }

// Snapshot says that nothing is known.
func (u Unavailable) Snapshot() ([]Container, bool) { return nil, false }

// ByCgroup finds nothing.
func (u Unavailable) ByCgroup(compile.CgroupID) (Container, bool) { return Container{}, false }

// Host is not known either.
func (u Unavailable) Host() (compile.Cgroup, []compile.Cgroup, error) {
	return compile.Cgroup{}, nil, u.Err
}

// HostRoot is not looked at.
func (u Unavailable) HostRoot() *root.Root { return nil }

// IsHost is not known.
func (u Unavailable) IsHost(compile.CgroupID) bool { return false }

// Problem is why.
func (u Unavailable) Problem() error { return u.Err }
