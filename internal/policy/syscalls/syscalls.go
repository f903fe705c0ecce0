// SPDX-License-Identifier: Apache-2.0

// Package syscalls knows the system calls of Linux by name, and the numbers that the kernel has for them: one for
// programs of the machine's own kind, and another for 32-bit ones.
package syscalls

import (
	"strconv"
	"strings"
)

// Numbers is more than any number of a call.
const Numbers = 1024

// How a program calls. The values are shared with bpf/syscall.
const (
	// Native: as programs of the machine's own kind do; on amd64 also as those of its x32 do.
	Native = 0
	// Compat: as 32-bit programs do, i386 on amd64 and arm on arm64.
	Compat = 1
)

// Machine is an architecture's calls.
type Machine struct{ tables [2]string }

// Of gives the calls of an architecture, in Go's names: amd64 or arm64.
func Of(arch string) Machine {
	if arch == "arm64" {
		return Machine{[2]string{numbersARM64, numbersARM}}
	}
	return Machine{[2]string{numbersAMD64 + numbersX32[1:], numbers386}}
}

// Known says whether a call has this name on any machine.
func Known(name string) bool {
	for _, arch := range []string{"amd64", "arm64"} {
		if _, known := Of(arch).Code(name); known {
			return true
		}
	}
	return false
}

// Code of a call: its native number, or Numbers and its other one where only 32-bit programs have it.
func (m Machine) Code(name string) (code uint16, known bool) {
	for how, table := range m.tables {
		if number, found := find(table, name); found {
			return uint16(how*Numbers + number), true
		}
	}
	return 0, false
}

// Codes by how a program calls and by number; each is one more than the code, and 0 where there is no call.
func (m Machine) Codes() (codes [2][Numbers]uint16) {
	for how, table := range m.tables {
		for line := range strings.SplitSeq(strings.Trim(table, "\n"), "\n") {
			name, number, _ := strings.Cut(line, " ")
			at, _ := strconv.Atoi(number)
			code, _ := m.Code(name)
			codes[how][at] = code + 1
		}
	}
	return codes
}

// Name of a call by its number; "syscall_N" for one that is not known.
func (m Machine) Name(how int, number uint32) string {
	text := strconv.FormatUint(uint64(number), 10)
	before, _, found := strings.Cut(m.tables[how&1], " "+text+"\n")
	if !found {
		return "syscall_" + text
	}
	return before[strings.LastIndexByte(before, '\n')+1:]
}

// find the first number of a name.
func find(table, name string) (number int, found bool) {
	_, behind, found := strings.Cut(table, "\n"+name+" ")
	if !found || name == "" {
		return 0, false
	}
	text, _, _ := strings.Cut(behind, "\n")
	number, err := strconv.Atoi(text)
	return number, err == nil
}
