// SPDX-License-Identifier: Apache-2.0

package facts

import "encoding/binary"

// The kernel's serialized form of AppArmor policy, as its unpacker reads it: a type byte, then little-endian data; a
// name before an element tags it (security/apparmor/policy_unpack.c).
const (
	aaU32       = 2
	aaName      = 4
	aaString    = 5
	aaStruct    = 7
	aaStructEnd = 8
)

// aaVersion is an interface version that kernels from 4.13 on read; later ones only add mediation that the canary
// does not need.
const aaVersion = 7

// packer serializes one profile.
type packer struct{ b []byte }

func (p *packer) text(code byte, s string) {
	p.b = append(p.b, code)
	p.b = binary.LittleEndian.AppendUint16(p.b, uint16(len(s)+1))
	p.b = append(p.b, s...)
	p.b = append(p.b, 0)
}

func (p *packer) name(s string) { p.text(aaName, s) }

func (p *packer) str(s string) { p.text(aaString, s) }

func (p *packer) u32(values ...uint32) {
	for _, v := range values {
		p.b = append(p.b, aaU32)
		p.b = binary.LittleEndian.AppendUint32(p.b, v)
	}
}

func (p *packer) open(name string) {
	p.name(name)
	p.b = append(p.b, aaStruct)
}

func (p *packer) end() { p.b = append(p.b, aaStructEnd) }

// denyAll is an enforcing profile without a single rule. Without a table of file rules the kernel takes its empty one,
// which allows nothing: every open of a file is denied.
func denyAll(profile string) []byte {
	p := &packer{}
	p.name("version")
	p.u32(aaVersion)
	p.open("profile")
	p.str(profile)
	p.open("flags")
	p.u32(0, 0, 0) // not a hat, enforce, audit as usual
	p.end()
	p.u32(0, 0, 0, 0) // capabilities: allow, audit, quiet, set
	p.end()
	return p.b
}
