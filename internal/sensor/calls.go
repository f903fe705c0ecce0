// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/kubearmor/kubearmor-operator/internal/policy/syscalls"
)

// HookCall is where system calls are seen. A core whose Stats have it among what is missing sees none.
const HookCall = "tp_btf/sys_enter"

// loadCalls loads the program that sees system calls, attaches it once, to see that it can be, and takes it off again: as
// long as it is attached, every call of the node is slower. Where the kernel refuses it, all else is enforced.
func (c *Core) loadCalls(object *ebpf.CollectionSpec, settings map[string]any, cache *btf.Cache) {
	settings = maps.Clone(settings)
	settings["call_codes"] = syscalls.Of(runtime.GOARCH).Codes()
	// Tracing programs may call what kprobes may, and nothing is kept with a task that is in the middle of anything.
	settings["ancestor_helper"] = haveAncestorHelper(ModeObserve)
	settings["task_storage"] = false
	before := len(c.hooks)
	err := c.loadObject(object, settings, cache)
	loaded := slices.Clone(c.hooks[before:])
	c.hooks = c.hooks[:before]
	if err == nil {
		err = tryCalls(loaded[0].program)
	}
	if err != nil {
		c.log.Error(errors.Join(err, closeHooks(loaded)), "system calls are not seen")
		c.missing = append(c.missing, HookCall)
		return
	}
	c.calls = &loaded[0]
}

func tryCalls(program *ebpf.Program) error {
	attached, err := link.AttachTracing(link.TracingOptions{Program: program})
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	return attached.Close()
}

// callsWatched says whether the program is attached; it is then among the hooks.
func (c *Core) callsWatched() bool {
	for _, h := range c.hooks {
		if h.point == HookCall {
			return true
		}
	}
	return false
}

// watchCalls attaches the program, and pins it where the core is pinned.
func (c *Core) watchCalls() error {
	if c.calls == nil || c.callsWatched() {
		return nil
	}
	attached, err := link.AttachTracing(link.TracingOptions{Program: c.calls.program})
	if err != nil {
		return fmt.Errorf("%s: %w", HookCall, err)
	}
	h := *c.calls
	h.link = attached
	if c.pins != nil && c.pins.keeping {
		if err := c.pins.pinHook(h); err != nil {
			return errors.Join(err, attached.Close())
		}
	}
	c.hooks = append(c.hooks, h)
	return nil
}

// unwatchCalls takes it off again, with its pin. It stays loaded.
func (c *Core) unwatchCalls() error {
	for i, h := range c.hooks {
		if h.point != HookCall {
			continue
		}
		c.hooks = append(c.hooks[:i], c.hooks[i+1:]...)
		var err error
		if c.pins != nil && c.pins.keeping {
			err = os.Remove(c.pins.linkPath(h.name))
		}
		return errors.Join(err, h.link.Close())
	}
	return nil
}

// keepCallsWatched: where an earlier core watches calls, this one does from the beginning, so that none is missed
// before it has policies.
func (c *Core) keepCallsWatched() error {
	if c.calls == nil {
		return nil
	}
	_, err := os.Stat(c.pins.linkPath(c.calls.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for pinned links: %w", err)
	}
	return c.watchCalls()
}

// namesCalls says whether any workload has a rule on system calls.
func (g generation) namesCalls() bool {
	for _, b := range g.bindings {
		if b.Calls != 0 {
			return true
		}
	}
	return false
}

// closeCalls closes the program where it is not among the hooks.
func (c *Core) closeCalls() error {
	calls := c.calls
	c.calls = nil
	if calls == nil || c.callsWatched() {
		return nil
	}
	return calls.program.Close()
}
