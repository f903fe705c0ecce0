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

// Run is the accept id of a path, or 0.
func (a *Automaton) Run(path string) uint32 {
	state := a.Start
	for i := 0; i < len(path) && state != 0; i++ {
		state = a.step(state, int(a.Classes[path[i]]))
	}
	return a.Accept[state]
}

// States there are, with the dead one.
func (a *Automaton) States() int { return len(a.Accept) }

func (a *Automaton) step(state uint32, column int) uint32 {
	return a.Next[int(state)*a.Columns+column]
}
