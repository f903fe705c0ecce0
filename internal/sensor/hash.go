// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// hashKey is the secret of bpf/include/core/hash.h.
type hashKey [2]uint64

// hasher is SipHash-1-3 with 128 bits of output, over whole words: the twin of bpf/include/core/hash.h.
type hasher struct {
	v     [4]uint64
	words uint64
}

func newHasher(key hashKey) hasher {
	return hasher{v: [4]uint64{
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d ^ 0xee,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	}}
}

func (h *hasher) round() {
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

func (h *hasher) absorb(word uint64) {
	h.v[3] ^= word
	h.round()
	h.v[0] ^= word
}

// component reads one component of a path, with the slash behind it unless it is the last one.
func (h *hasher) component(c string) {
	for len(c) > 0 {
		var word [8]byte
		c = c[copy(word[:], c):]
		h.absorb(binary.LittleEndian.Uint64(word[:]))
		h.words++
	}
}

func (h hasher) sum() [2]uint64 {
	h.absorb(h.words << 59)
	h.v[2] ^= 0xee
	first := h.fold()
	h.v[1] ^= 0xdd
	return [2]uint64{first, h.fold()}
}

func (h *hasher) fold() uint64 {
	for range 3 {
		h.round()
	}
	return h.v[0] ^ h.v[1] ^ h.v[2] ^ h.v[3]
}

// hashPath hashes an absolute path, or a directory's, which ends in a slash.
func hashPath(key hashKey, path string) [2]uint64 {
	h := newHasher(key)
	for c := range strings.SplitAfterSeq(path[1:], "/") {
		h.component(c)
	}
	return h.sum()
}
