// SPDX-License-Identifier: Apache-2.0

package automaton

import (
	"encoding/binary"
	"slices"
)

// joining makes one automaton of two: each of its states is a pair of theirs.
type joining struct {
	left, right *Automaton
	states      [][2]uint32
	number      map[[2]uint32]uint32
	// columns of both, by column of the new one.
	columns [][2]int
	sets    joinedSets
}

// product says no where the automaton is over the limits.
func product(left, right *Automaton, b *building) (*Automaton, bool) {
	j := &joining{
		left: left, right: right, number: map[[2]uint32]uint32{},
		sets: joinedSets{left: left, right: right, b: b, pairs: map[[2]uint32]uint32{}, ids: map[string]uint32{}},
	}
	a := &Automaton{}
	a.Classes, j.columns = joinClasses(left, right)
	a.Columns = len(j.columns)
	j.intern([2]uint32{})
	a.Start = j.intern([2]uint32{left.Start, right.Start})
	for state := 0; state < len(j.states); state++ {
		if !b.spend(a.Columns, len(j.states)) {
			return nil, false
		}
		pair := j.states[state]
		for _, column := range j.columns {
			a.Next = append(a.Next, j.intern([2]uint32{left.step(pair[0], column[0]), right.step(pair[1], column[1])}))
		}
		a.Accept = append(a.Accept, j.sets.join([2]uint32{left.Accept[pair[0]], right.Accept[pair[1]]}))
	}
	a.Sets = j.sets.all
	return a, true
}

func (j *joining) intern(pair [2]uint32) uint32 {
	number, ok := j.number[pair]
	if !ok {
		number = uint32(len(j.states))
		j.number[pair] = number
		j.states = append(j.states, pair)
	}
	return number
}

// joinClasses tells bytes apart that either does, in the order of the first of each class.
func joinClasses(left, right *Automaton) (classes [256]uint8, columns [][2]int) {
	seen := map[[2]int]uint8{}
	for b := range classes {
		pair := [2]int{int(left.Classes[b]), int(right.Classes[b])}
		if _, ok := seen[pair]; !ok {
			seen[pair] = uint8(len(columns))
			columns = append(columns, pair)
		}
		classes[b] = seen[pair]
	}
	return classes, columns
}

// joinedSets numbers the unions of two automata's sets.
type joinedSets struct {
	left, right *Automaton
	b           *building
	pairs       map[[2]uint32]uint32
	ids         map[string]uint32
	all         [][]int
}

// join is the accept id for a pair of such ids.
func (s *joinedSets) join(pair [2]uint32) uint32 {
	if pair == [2]uint32{} {
		return 0
	}
	id, ok := s.pairs[pair]
	if !ok {
		id = s.intern(s.b.reduce(union(s.left, s.right, pair)))
		s.pairs[pair] = id
	}
	return id
}

// union is ascending, for the left one's globs are before the right one's.
func union(left, right *Automaton, pair [2]uint32) []int {
	var set []int
	if pair[0] != 0 {
		set = append(set, left.Sets[pair[0]-1]...)
	}
	if pair[1] != 0 {
		set = append(set, right.Sets[pair[1]-1]...)
	}
	return set
}

func (s *joinedSets) intern(set []int) uint32 {
	if len(set) == 0 {
		return 0
	}
	set = slices.Sorted(slices.Values(set))
	var key []byte
	for _, glob := range set {
		key = binary.AppendUvarint(key, uint64(glob))
	}
	id, ok := s.ids[string(key)]
	if !ok {
		s.all = append(s.all, set)
		id = uint32(len(s.all))
		s.ids[string(key)] = id
	}
	return id
}
