// SPDX-License-Identifier: Apache-2.0

// Package sensor is the Go half of the eBPF core: it loads, attaches and pins the programs, writes compiled policies
// into their tables, and decodes the events that they send.
package sensor

import (
	"context"
	"errors"

	"github.com/go-logr/logr"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Mode says what the core does with a verdict.
type Mode string

// The modes.
const (
	// ModeEnforce attaches to the LSM hooks: what a rule blocks is denied before it happens.
	ModeEnforce Mode = "enforce"
	// ModeObserve attaches the same decisions to kprobes: events only, nothing is denied.
	ModeObserve Mode = "observe"
)

// Options of a core.
type Options struct {
	Mode Mode
	// BPFFS is the host's bpffs mount point as this process sees it. Empty: nothing is pinned, and everything ends with
	// the process.
	BPFFS  string
	Logger logr.Logger
}

// Core is one loaded and attached set of programs with its tables.
type Core struct{}

var errNotBuilt = errors.New("the core is not part of this build")

// Open loads and attaches the core, or adopts the one that an earlier process pinned.
func Open(ctx context.Context, o Options) (*Core, error) { return nil, errNotBuilt }

// Apply puts a set of policies in force in one step. On error the previous set stays in force, whole; a *TableFullError
// names the table that cannot hold the set.
func (c *Core) Apply(ctx context.Context, set compile.Set) error { return errNotBuilt }

// Run reads events until ctx ends and passes each to handle, one at a time.
func (c *Core) Run(ctx context.Context, handle func(Event)) error { return errNotBuilt }

// Stats reads the core's state out of the kernel.
func (c *Core) Stats() (Stats, error) { return Stats{}, errNotBuilt }

// Close releases the file descriptors. What is pinned goes on enforcing.
func (c *Core) Close() error { return errNotBuilt }

// Detach takes the core off the node: no program, link, map or pin of it is left.
func (c *Core) Detach() error { return errNotBuilt }

// DetachAll is Detach for a core that another process pinned below bpffs. A node without one is no error.
func DetachAll(bpffs string) error { return errNotBuilt }
