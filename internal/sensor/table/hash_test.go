// SPDX-License-Identifier: Apache-2.0

package table

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reference is the key 00 01 02 ... 0f.
func reference() Key { return Key{0x0706050403020100, 0x0f0e0d0c0b0a0908} }

// The reference vector of SipHash-2-4 with 128 bits of output for no message. Ours has fewer rounds; the rounds
// themselves and the constants are the same.
func TestTheHashIsMadeOfSipHashRounds(t *testing.T) {
	h := NewHasher(reference())
	rounds := func(n int) uint64 {
		for range n {
			h.round()
		}
		return h.v[0] ^ h.v[1] ^ h.v[2] ^ h.v[3]
	}
	rounds(2)
	h.v[2] ^= 0xee
	first := rounds(4)
	h.v[1] ^= 0xdd
	got := [2]uint64{first, rounds(4)}
	if want := [2]uint64{0xe6a825ba047f81a3, 0x930255c71472f66d}; got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestThePathsHashIsTheCores(t *testing.T) {
	for path, want := range map[string]Sum{
		"/":                        {0x9c27499bc541915d, 0x2282c1bc77fdefba},
		"/etc/passwd":              {0x8d16b3b5a1bff93d, 0xf091231842f51917},
		"/etc/ssl/":                {0x21c7f77d628921a7, 0xd3dab6534e88fed6},
		"/a/b/longer-than-eight/x": {0x4d83990513150d61, 0xddbef290cb8044f4},
	} {
		h := NewHasher(reference())
		h.Path(path)
		if got := h.Sum(); got != want {
			t.Errorf("%q: got %#x, want %#x", path, got, want)
		}
	}
}

func TestWhatDiffersHashesApart(t *testing.T) {
	seen := map[Sum]string{}
	check := func(name string, h Hasher, s Selector) {
		sum := h.Select(s)
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[sum] = name
	}
	for _, path := range []string{"/", "/a", "/a/", "/a/b", "/ab", "/ab/", "/a/b/", "/abcdefgh", "/abcdefgh/", "/abcdefg/", "/abcdefg/a", "//a"} {
		h := NewHasher(Key{3, 4})
		h.Path(path)
		check(path, h, Selector{})
		other := NewHasher(Key{3, 5})
		other.Path(path)
		check(path+" with another key", other, Selector{})
	}
	h := NewHasher(Key{3, 4})
	h.Path("/x")
	for name, s := range map[string]Selector{
		"a profile": {Profile: 1}, "another": {Profile: 2}, "a domain": {Domain: 1}, "a kind": {Kind: 1}, "a variant": {Variant: 1}, "a source": {Source: 1},
	} {
		check(name, h, s)
	}
}

func TestWordsAreReadAsTheCoreReadsThem(t *testing.T) {
	long, words := NewHasher(Key{1, 2}), NewHasher(Key{1, 2})
	long.Path("/etc/abcdefgh")
	words.Word(0x2f637465)
	words.Word(0x6867666564636261)
	if diff := cmp.Diff(words.Sum(), long.Sum()); diff != "" {
		t.Errorf("a path (-words +path):\n%s", diff)
	}
	selected := words.Select(Selector{Profile: 9, Domain: 2, Kind: 3, Variant: 4, Source: 5})
	words.Word(9)
	words.Word(0x5_0004_03_02)
	if diff := cmp.Diff(words.Sum(), selected); diff != "" {
		t.Errorf("a selector (-words +selector):\n%s", diff)
	}
	name, none := NewHasher(Key{1, 2}), NewHasher(Key{1, 2})
	name.Bytes("")
	if name.Sum() != none.Sum() {
		t.Error("an empty argument has words")
	}
}
