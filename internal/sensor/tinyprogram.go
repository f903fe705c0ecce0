// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
)

// tinyProgram is a whole executable that ends with status 0: images built from scratch hold nothing small to execute.
func tinyProgram() []byte {
	machine, code := elf.EM_X86_64, []byte{
		0xb8, 0x3c, 0x00, 0x00, 0x00, // mov eax, 60 (exit)
		0x31, 0xff, // xor edi, edi
		0x0f, 0x05, // syscall
	}
	if runtime.GOARCH == "arm64" {
		machine, code = elf.EM_AARCH64, []byte{
			0xa8, 0x0b, 0x80, 0xd2, // mov x8, 93 (exit)
			0x00, 0x00, 0x80, 0xd2, // mov x0, 0
			0x01, 0x00, 0x00, 0xd4, // svc 0
		}
	}
	return programOf(machine, code)
}

// programOf is a whole executable of some machine code.
func programOf(machine elf.Machine, code []byte) []byte {
	const base = 0x10000
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	const codeAt = 64 + 56
	header.Entry = base + codeAt
	size := uint64(codeAt + len(code))
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base,
		Filesz: size, Memsz: size, Align: base,
	}
	var out bytes.Buffer
	for _, part := range []any{header, segment, code} {
		// A buffer takes everything.
		_ = binary.Write(&out, binary.LittleEndian, part)
	}
	return out.Bytes()
}

// TinyProgram is for tests that execute something: a whole executable of this architecture that ends with status 0.
func TinyProgram() []byte { return tinyProgram() }
