// SPDX-License-Identifier: Apache-2.0

package table

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Key is the secret of bpf/include/core/hash.h.
type Key [2]uint64

// Sum is what a Hasher gives. The first half says in which buckets an entry may be, the second one is its tag.
type Sum [2]uint64

// Hasher is SipHash-1-3, of whose last state both halves are the hash, over whole words: the twin of
// bpf/include/core/hash.h.
type Hasher struct {
	v     [4]uint64
	words uint64
}

// NewHasher begins a hash.
func NewHasher(key Key) Hasher {
	return Hasher{v: [4]uint64{
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d ^ 0xee,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	}}
}

// Word reads one word.
func (h *Hasher) Word(word uint64) {
	h.absorb(word)
	h.words++
}

// Bytes reads a name or an argument: words of 8 bytes, the last one filled up with zeroes.
func (h *Hasher) Bytes(s string) {
	for len(s) >= 8 {
		h.Word(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
		s = s[8:]
	}
	if s != "" {
		var word [8]byte
		copy(word[:], s)
		h.Word(binary.LittleEndian.Uint64(word[:]))
	}
}

// Path reads an absolute path, or a directory's, which ends in a slash. Each component, with the slash behind it,
// begins a new word. Of "/" nothing is read.
func (h *Hasher) Path(path string) {
	for c := range strings.SplitAfterSeq(path[1:], "/") {
		h.Bytes(c)
	}
}

// Name reads a domain name without a closing dot.
func (h *Hasher) Name(name string) {
	for name != "" {
		dot := strings.LastIndexByte(name, '.')
		label := name[dot+1:]
		h.Bytes(string(rune(len(label))) + label)
		name = name[:max(dot, 0)]
	}
}

// Select is the hash of what was read and of what is asked about it. The Hasher can go on.
func (h Hasher) Select(s Selector) Sum {
	h.Word(uint64(s.Profile))
	h.Word(uint64(s.Domain) | uint64(s.Kind)<<8 | uint64(s.Variant)<<16 | uint64(s.Source)<<32)
	return h.Sum()
}

// Sum is the hash of what was read. The Hasher can go on.
func (h Hasher) Sum() Sum {
	h.absorb(h.words << 59)
	h.v[2] ^= 0xee
	for range 3 {
		h.round()
	}
	return Sum{h.v[0] ^ h.v[1], h.v[2] ^ h.v[3]}
}

// Selector says which entry about a path, name or code is meant.
type Selector struct {
	Profile compile.ProfileID
	Domain  compile.Domain
	Kind    Kind
	// Variant is the place in the chain, from 0.
	Variant uint16
	// Source is the class of the executable that the entry is for; 0 for all of them.
	Source uint32
}

func (h *Hasher) round() {
	v := &h.v
	v[0] += v[1]
	v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
	v[0] = bits.RotateLeft64(v[0], 32)
	v[2] += v[3]
	v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
	v[0] += v[3]
	v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
	v[2] += v[1]
	v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
	v[2] = bits.RotateLeft64(v[2], 32)
}

func (h *Hasher) absorb(word uint64) {
	h.v[3] ^= word
	h.round()
	h.v[0] ^= word
}
