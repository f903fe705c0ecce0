// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// hookChown is called in the middle of functionChown. Where no program can be given the hook's arguments, bpf/owner takes
// its place.
const (
	hookChown     = "path_chown"
	functionChown = "chown_common"
)

// needsOwners says whether the kernel calls the hook of changed owners and cannot call a program there, and describes the
// function around it.
func (h hooks) needsOwners() bool {
	var function *btf.Func
	return h.prototype(hookChown) != nil && !h.usable(hookChown) && h.types.TypeByName(functionChown, &function) == nil
}

// loadOwners loads and attaches what takes the place of the hook of changed owners. Where the kernel refuses that, the
// hook is missing, and all else is enforced.
func (c *Core) loadOwners(object *ebpf.CollectionSpec, settings map[string]any, kernel hooks, cache *btf.Cache) error {
	if len(object.Programs) == 0 || !kernel.needsOwners() {
		return nil
	}
	before := len(c.hooks)
	err := c.loadObject(object, settings, cache)
	if err == nil {
		err = attachOwners(c.hooks[before:])
	}
	if err == nil {
		c.missing = slices.DeleteFunc(c.missing, func(hook string) bool { return hook == "lsm/"+hookChown })
		return nil
	}
	c.log.Error(err, "changes of owners are not judged")
	// All of them: without one, the others would tell of denials that are none.
	failed := c.hooks[before:]
	c.hooks = c.hooks[:before]
	return closeHooks(failed)
}

func attachOwners(own []hook) error {
	for i, h := range own {
		var err error
		if h.program.Type() == ebpf.LSM {
			own[i].link, err = link.AttachLSM(link.LSMOptions{Program: h.program})
		} else {
			own[i].link, err = link.AttachTracing(link.TracingOptions{Program: h.program})
		}
		if err != nil {
			return fmt.Errorf("attach %s: %w", h.point, err)
		}
	}
	return nil
}

func closeHooks(hooks []hook) error {
	var errs []error
	for _, h := range hooks {
		if h.link != nil {
			errs = append(errs, h.link.Close())
		}
		errs = append(errs, h.program.Close())
	}
	return errors.Join(errs...)
}
