// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// The operations that presets alone have a word on: memory that becomes executable, and another process's memory.
const (
	OperationMmap     = "mmap"
	OperationMprotect = "mprotect"
	OperationPtrace   = "ptrace"
)

// anonymousMemory is the resource of a mapping that no file is behind.
const anonymousMemory = "anonymous memory"

// loadPresets loads the programs of an object of presets. Where the kernel refuses one, its hooks are missing, and all
// else is enforced.
func (c *Core) loadPresets(object *ebpf.CollectionSpec, settings map[string]any, cache *btf.Cache) error {
	before := len(c.hooks)
	err := c.loadObject(object, settings, cache)
	if err == nil {
		return nil
	}
	c.log.Error(err, "presets are not judged")
	for _, name := range slices.Sorted(maps.Keys(object.Programs)) {
		c.missing = append(c.missing, object.Programs[name].SectionName)
	}
	failed := c.hooks[before:]
	c.hooks = c.hooks[:before]
	return closeHooks(failed)
}

// Presets says whether the core judges presets: each of their objects has a hook that is nobody else's.
func (s Stats) Presets() bool {
	return !slices.ContainsFunc(s.Missing, func(hook string) bool {
		return strings.HasSuffix(hook, "mmap_file") || strings.HasSuffix(hook, "ptrace_access_check")
	})
}
