// SPDX-License-Identifier: Apache-2.0

// Package automaton compiles globs into one deterministic automaton over the bytes of a path.
package automaton

// Automaton is a complete deterministic automaton: from every state, every byte leads to a state. State 0 is dead:
// nothing leads out of it, and it accepts nothing.
type Automaton struct {
	// Classes maps a byte to its column in Next.
	Classes [256]uint8
	// Columns of Next.
	Columns int
	// Start state.
	Start uint32
	// Next state by state and column: Next[state*Columns+column].
	Next []uint32
	// Accept by state: 0 where nothing matches, else one more than an index into Sets.
	Accept []uint32
	// Sets of the globs that match together, by their index in the input of Build.
	Sets [][]int
}
