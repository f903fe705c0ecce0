// SPDX-License-Identifier: Apache-2.0

// Package glob gives AppArmor's globs one meaning, over the bytes of a path:
//
//   - any bytes but /
//     **     any bytes (so do more than two)
//     ?      one byte but /
//     [a-c]  one of these bytes; [^a-c] one that is none of them; never /
//     {a,b}  one of these globs, which may be empty and may nest
//     \x     the byte x itself, also between [ and ]
//
// Where only stars stand between two slashes, or after the last one, they match at least one byte: /a/* is not /a/ and
// /a/**/b is not /a//b. A glob in braces means what it would mean without them in the place where it is.
package glob

import "fmt"

// MaxLength of a glob in bytes.
const MaxLength = 4095

// Glob is a parsed glob.
type Glob struct {
	source  string
	literal string
	steps   []Step
}

// String is the glob as it was written.
func (g *Glob) String() string { return g.source }

// Literal is what every path that matches begins with.
func (g *Glob) Literal() string { return g.literal }

// Steps of the glob, linked by their indices; a match begins at the first one. They are not to be changed.
func (g *Glob) Steps() []Step { return g.steps }

// Error says where and why a text is no glob.
type Error struct {
	// Position in bytes, from 0.
	Position int
	Reason   string
}

func (e *Error) Error() string {
	return fmt.Sprintf("byte %d of the pattern: %s", e.Position, e.Reason)
}

// Kind of a step.
type Kind uint8

// The kinds.
const (
	// KindByte reads one byte of Set, and goes on to Next[0].
	KindByte Kind = iota
	// KindStar reads any bytes but slashes, KindAny any bytes, and goes on to Next[0].
	KindStar
	KindAny
	// KindBranch reads nothing, and goes on to any of Next.
	KindBranch
	// KindEnd is the end of the glob.
	KindEnd
)

// Step is one thing that a glob reads.
type Step struct {
	Kind Kind
	Set  Set
	Next []int
}

// Set of bytes. Only the set of a written slash holds a slash, and it holds nothing else.
type Set [4]uint64

// Has says whether b is in the set.
func (s Set) Has(b byte) bool { return s[b/64]>>(b%64)&1 != 0 }

func (s *Set) add(b byte) { s[b/64] |= 1 << (b % 64) }

func (s *Set) remove(b byte) { s[b/64] &^= 1 << (b % 64) }

// single is the only byte of the set.
func (s Set) single() (byte, bool) {
	found, n := byte(0), 0
	for b := range 256 {
		if s.Has(byte(b)) {
			found = byte(b)
			n++
		}
	}
	return found, n == 1
}

// Place is where a match is within a component, as far as stars must know it.
type Place uint8

// The places.
const (
	// PlaceInside: something was read since the last slash that was written, or there was none.
	PlaceInside Place = iota
	// PlaceSlash: just behind a slash that was written.
	PlaceSlash
	// PlaceEmpty: behind a slash and stars that have read nothing. Neither a slash nor the end may follow.
	PlaceEmpty
	// Places is how many there are.
	Places = 3
)

// After a byte that a KindByte has read.
func After(b byte) Place {
	if b == '/' {
		return PlaceSlash
	}
	return PlaceInside
}

// AfterNothing that a star has read at p.
func AfterNothing(p Place) Place {
	if p == PlaceSlash {
		return PlaceEmpty
	}
	return p
}
