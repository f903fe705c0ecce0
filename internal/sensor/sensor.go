// SPDX-License-Identifier: Apache-2.0

// Package sensor is the Go half of the eBPF core: it loads, attaches and pins the programs, writes compiled policies
// into their tables, and decodes the events that they send.
package sensor

import (
	"context"
	"errors"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/go-logr/logr"

	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// Mode says what the core does with a verdict.
type Mode string

// The modes.
const (
	// ModeEnforce attaches to the LSM hooks: what a rule blocks is denied before it happens.
	ModeEnforce Mode = "enforce"
	// ModeObserve attaches the same decisions to kprobes: events only, nothing is denied, and nothing outlives the
	// process, which alone could read the events.
	ModeObserve Mode = "observe"
)

// Options of a core.
type Options struct {
	Mode Mode
	// BPFFS is the host's bpffs mount point as this process sees it. Empty: nothing is pinned, and everything ends with
	// the process.
	BPFFS string
	// Cgroups is the root of the host's cgroup v2 hierarchy as this process sees it. Empty: nobody looks into DNS queries.
	Cgroups string
	Logger  logr.Logger
}

// Core is one loaded and attached set of programs with its tables.
type Core struct {
	mode Mode
	log  logr.Logger
	key  table.Key
	// cgroups is the root of the hierarchy, or empty.
	cgroups string
	// pins is nil when nothing is pinned.
	pins *pins

	maps map[string]*ebpf.Map
	// inner are the shapes of what maps of maps hold.
	inner map[string]*ebpf.MapSpec
	hooks []hook
	// calls is the program that sees system calls; it is among the hooks while it is attached, and nil where there is none.
	calls *hook
	// missing are the hooks that the kernel does not have.
	missing []string
	// inForce is the table of bindings that the slot in maps holds; nil until it was needed.
	inForce *ebpf.Map

	// mu serializes what changes the tables.
	mu   sync.Mutex
	lost lostEvents
}

// hook is one program and where it is attached.
type hook struct {
	program *ebpf.Program
	link    link.Link
	name    string
	point   string
}

// Open loads and attaches the core. If an earlier process left one below o.BPFFS, its tables are kept where they have
// the same shape, and its programs are taken off only after this one's are attached. The error is a *LoadError.
func Open(ctx context.Context, o Options) (*Core, error) {
	c := &Core{mode: o.Mode, log: o.Logger, cgroups: o.Cgroups, maps: map[string]*ebpf.Map{}, inner: map[string]*ebpf.MapSpec{}}
	if c.log.GetSink() == nil {
		c.log = logr.Discard()
	}
	if err := c.open(ctx, o.BPFFS); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Core) open(ctx context.Context, bpffs string) error {
	specs, err := loadSpecs(c.mode)
	if err != nil {
		return loadError(err)
	}
	if bpffs != "" {
		if c.pins, err = openPins(bpffs, specs, c.mode); err != nil {
			return loadError(err)
		}
		unlock, err := c.pins.lock()
		if err != nil {
			return loadError(err)
		}
		defer unlock()
		if err := c.pins.prepare(specs, c.log); err != nil {
			return loadError(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return loadError(err)
	}
	if err := c.load(specs); err != nil {
		return loadError(err)
	}
	if err := c.attach(specs); err != nil {
		return attachError(err)
	}
	return c.settle()
}

// settle pins what is attached now.
func (c *Core) settle() error {
	if c.pins == nil || !c.pins.keeping {
		return nil
	}
	if err := c.keepCallsWatched(); err != nil {
		return attachError(err)
	}
	if err := c.pins.pinHooks(c.hooks); err != nil {
		return loadError(err)
	}
	return nil
}

// Close releases the file descriptors. What is pinned goes on enforcing. Run must have ended.
func (c *Core) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.close()
}

func (c *Core) close() error {
	errs := []error{closeHooks(c.hooks), c.closeCalls()}
	for _, m := range c.maps {
		errs = append(errs, m.Close())
	}
	errs = append(errs, c.hold(nil))
	c.hooks, c.maps = nil, map[string]*ebpf.Map{}
	return errors.Join(errs...)
}

// errClosed answers calls after Close or Detach.
var errClosed = errors.New("the core is closed")

func (c *Core) closed() bool { return len(c.maps) == 0 }
