// SPDX-License-Identifier: Apache-2.0

package automaton

import (
	"fmt"

	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

// Limits of what Build may make and do.
type Limits struct {
	// States of the result, and of every part of it. 0 means DefaultStates.
	States int
	// Work in cells that are filled, and steps of globs that are looked at, on the way. 0 means DefaultWork.
	Work int
	// Reduce drops from a set of globs that match together those that then do not matter, so that states become one; it
	// may be nil. It is given ascending indices and returns some of them. It must be a function of the set alone, and
	// reducing early must change nothing: Reduce(Reduce(a) ∪ b) = Reduce(a ∪ b). Where it drops all of b for a, it drops
	// every part of b for a. What it returns is not changed.
	Reduce func(set []int) []int
}

// Limits where none are given. The work takes about a second.
const (
	DefaultStates = 65536
	DefaultWork   = 1 << 25
)

// maxCells of an automaton before it is minimized: 16 MiB, which is also all that fits into the kernel's table.
const maxCells = 1 << 22

// slack is how many times the limit of states there may be before an automaton is minimized.
const slack = 2

// TooComplexError says that globs make an automaton which is over a limit.
type TooComplexError struct {
	// Glob is the index of the one with which the limit was crossed, and Pattern its text: alone, or together with some
	// of those before it. The others may still be too many without it, which another Build says.
	Glob    int
	Pattern string
}

func (e *TooComplexError) Error() string {
	return fmt.Sprintf("pattern %q: it makes the automaton of all patterns too large: use fewer wildcards, or a path or a directory", e.Pattern)
}

// Build makes the smallest automaton that says of every path which globs match it, as far as Reduce keeps them. It is
// deterministic. Its error is a *TooComplexError.
func Build(globs []*glob.Glob, limits Limits) (*Automaton, error) {
	if limits.States == 0 {
		limits.States = DefaultStates
	}
	if limits.Work == 0 {
		limits.Work = DefaultWork
	}
	b := &building{globs: globs, limits: limits, work: limits.Work}
	if len(globs) == 0 {
		return nothing(), nil
	}
	a, err := b.build(0, len(globs))
	if err != nil {
		return nil, err
	}
	return a, nil
}

// nothing is the automaton that matches nothing.
func nothing() *Automaton {
	return &Automaton{Columns: 1, Next: []uint32{0}, Accept: []uint32{0}}
}

// building joins the automata of single globs by halves, and minimizes each: what Reduce makes equal never piles up.
type building struct {
	globs  []*glob.Glob
	limits Limits
	// work that is left.
	work int
}

// build is for globs[from:to], of which there is at least one.
func (b *building) build(from, to int) (*Automaton, *TooComplexError) {
	if to-from == 1 {
		a, ok := b.single(from)
		if !ok {
			return nil, b.tooComplex(from)
		}
		return a, nil
	}
	middle := (from + to) / 2
	left, err := b.build(from, middle)
	if err != nil {
		return nil, err
	}
	right, err := b.build(middle, to)
	if err != nil {
		return nil, err
	}
	if a, ok := b.join(left, right); ok {
		return a, nil
	}
	return nil, b.tooComplex(b.crossing(left, middle, to))
}

func (b *building) tooComplex(glob int) *TooComplexError {
	return &TooComplexError{Glob: glob, Pattern: b.globs[glob].String()}
}

// crossing finds the glob with which left and globs[from:to], which are too much together, become too much.
func (b *building) crossing(left *Automaton, from, to int) int {
	good, bad := from, to
	for bad-good > 1 {
		middle := (good + bad) / 2
		right, err := b.build(from, middle)
		if err != nil || b.work < 0 {
			break
		}
		if _, ok := b.join(left, right); ok {
			good = middle
		} else {
			bad = middle
		}
	}
	return bad - 1
}

// join is the smallest automaton for both, which are the smallest themselves.
func (b *building) join(left, right *Automaton) (*Automaton, bool) {
	j, ok := product(left, right, b)
	if !ok {
		return nil, false
	}
	return b.within(minimize(&j.made, j.alike))
}

// single is the smallest automaton for one glob.
func (b *building) single(index int) (*Automaton, bool) {
	a, ok := determine(index, b)
	if !ok {
		return nil, false
	}
	return b.within(minimize(a, byAccept))
}

func (b *building) within(a *Automaton) (*Automaton, bool) {
	return a, a.States() <= b.limits.States
}

// spend says whether so much work is left.
func (b *building) spend(work int) bool {
	b.work -= work
	return b.work >= 0
}

// room says whether an automaton may have so many rows before it is minimized.
func (b *building) room(rows, columns int) bool {
	return rows <= slack*b.limits.States && rows*columns <= maxCells
}

func (b *building) reduce(set []int) []int {
	if b.limits.Reduce == nil || len(set) == 0 {
		return set
	}
	return b.limits.Reduce(set)
}
