// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/go-logr/logr"
)

// TestAKernelThatRefusesAPresetHoldsAllElse: no kernel takes a program without an end.
func TestAKernelThatRefusesAPresetHoldsAllElse(t *testing.T) {
	object := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{
		"map_enforce": {Name: "map_enforce", Type: ebpf.LSM, SectionName: "lsm/mmap_file", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0)}},
	}}
	other := hook{name: "file_enforce"}
	c := &Core{log: logr.Discard(), hooks: []hook{other}}
	if err := c.loadPresets(object, nil, btf.NewCache()); err != nil {
		t.Fatal(err)
	}
	if len(c.hooks) != 1 || c.hooks[0] != other || len(c.missing) != 1 || (Stats{Missing: c.missing}).Presets() {
		t.Errorf("hooks %+v, missing %q", c.hooks, c.missing)
	}
}
