// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// castFunction is the kernel's function that programs use where there is one: since 6.2 (a35b9af4ec2c).
const castFunction = "bpf_rdonly_cast"

// lackCast says whether the kernel's types have no castFunction.
func lackCast(kernel *btf.Spec) bool {
	var function *btf.Func
	return kernel.TypeByName(castFunction, &function) != nil
}

// leaveOutCast takes the references to castFunction out of programs for a kernel that lacks it: its address is 0, and what
// is only reached with another is nothing. The loader comes to the same, but asks every BTF object in the kernel, of which
// each program that was loaded is one, for each reference.
func leaveOutCast(object *ebpf.CollectionSpec) {
	for _, program := range object.Programs {
		for i := range program.Instructions {
			was := &program.Instructions[i]
			switch {
			case was.Symbol() != "" || btf.CORERelocationMetadata(was) != nil:
			case was.IsKfuncCall():
				*was = asm.Mov.Imm(asm.R0, 0).WithSource(was.Source())
			case was.OpCode.IsDWordLoad() && was.Src == 0 && was.Constant == 0:
				*was = asm.LoadImm(was.Dst, 0, asm.DWord).WithSource(was.Source())
			}
		}
	}
}
