// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// hooks is what this kernel's type information says about the places where programs are attached.
type hooks struct{ types *btf.Spec }

func findHooks(cache *btf.Cache) (hooks, error) {
	types, err := cache.Kernel()
	if err != nil {
		return hooks{}, fmt.Errorf("read the kernel's types: %w", err)
	}
	return hooks{types}, nil
}

// mayBeMissing are the LSM hooks without which the core goes on, and why a kernel may lack them.
func mayBeMissing(hook string) bool {
	switch hook {
	// Since 6.2; path_truncate is called before.
	case "file_truncate":
		return true
	// Takes structures, which programs can be given since 6.1.
	case "path_chown":
		return true
	// Not without CONFIG_SECURITY_PATH.
	case "path_mknod", "path_mkdir", "path_symlink", "path_unlink", "path_rmdir", "path_link", "path_rename", "path_chmod", "path_truncate":
		return true
	}
	return false
}

// prototype of an LSM hook's function, or nil.
func (h hooks) prototype(hook string) *btf.FuncProto {
	var function *btf.Func
	if err := h.types.TypeByName("bpf_lsm_"+hook, &function); err != nil {
		return nil
	}
	prototype, _ := function.Type.(*btf.FuncProto)
	return prototype
}

// arguments is how many the hook has; 0 if there is no such hook.
func (h hooks) arguments(hook string) int {
	prototype := h.prototype(hook)
	if prototype == nil {
		return 0
	}
	return len(prototype.Params)
}

// usable says whether the kernel can call a program there.
func (h hooks) usable(hook string) bool {
	prototype := h.prototype(hook)
	if prototype == nil {
		return false
	}
	for _, parameter := range prototype.Params {
		if _, isStruct := btf.UnderlyingType(parameter.Type).(*btf.Struct); isStruct && !h.givesStructs() {
			return false
		}
	}
	return true
}

// givesStructs: since 6.1 (720e6a435194) the kernel describes which arguments are structures.
func (h hooks) givesStructs() bool {
	var model *btf.Struct
	if err := h.types.TypeByName("btf_func_model", &model); err != nil {
		return false
	}
	return slices.ContainsFunc(model.Members, func(m btf.Member) bool { return m.Name == "arg_flags" })
}

// leaveOut takes the programs out of an object that this kernel has no hook for, and that the core can do without. It
// gives their names.
func (h hooks) leaveOut(object *ebpf.CollectionSpec) []string {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(object.Programs)) {
		p := object.Programs[name]
		if p.Type == ebpf.LSM && mayBeMissing(p.AttachTo) && !h.usable(p.AttachTo) {
			missing = append(missing, p.SectionName)
			delete(object.Programs, name)
		}
	}
	return missing
}

func (c *Core) attach(s specs) error {
	var attached []hook
	for i := range c.hooks {
		h := c.hooks[i]
		var err error
		switch {
		case h.link != nil:
		case h.point == HookLookup:
			h.link, err = c.attachLookups(h.program)
		case c.mode == ModeEnforce:
			h.link, err = link.AttachLSM(link.LSMOptions{Program: h.program})
		default:
			h.link, err = link.Kprobe(kernelFunction(s, h.name), h.program, nil)
		}
		c.hooks[i] = h
		switch {
		case err != nil && h.point == HookLookup,
			errors.Is(err, fs.ErrNotExist) && mayBeMissing(strings.TrimPrefix(h.point, "kprobe/security_")):
			c.missing = append(c.missing, h.point)
			if err := h.program.Close(); err != nil {
				return err
			}
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", h.point, err)
		}
		attached = append(attached, h)
	}
	c.hooks = attached
	return nil
}

func kernelFunction(s specs, program string) string {
	for _, object := range s.objects {
		if p := object.Programs[program]; p != nil {
			return p.AttachTo
		}
	}
	return ""
}
