// SPDX-License-Identifier: Apache-2.0

package automaton

import (
	"encoding/binary"
	"slices"
)

// pair is a state of the left automaton and one of the right one.
type pair struct{ left, right uint32 }

// joining makes one automaton of two, which have no glob in common: each of its states is a pair of theirs. Most pairs
// have a dead half, for most globs are about different folders: such a pair is the other half's state, with all that
// follows it, and no two of them are equal, as the two automata are the smallest.
type joining struct {
	left, right *Automaton
	made        Automaton
	states      []pair
	// numbers of pairs whose other half is dead, by the half that is not, and of all others; 0 where there is none yet.
	ofLeft, ofRight []uint32
	ofBoth          map[pair]uint32
	// leftAlone and rightAlone are the states of either whose other half does not matter.
	leftAlone, rightAlone []bool
	// columns of both, by column of the new one.
	columns [][2]int
	sets    joinedSets
}

// product says no where the automaton is over the limits.
func product(left, right *Automaton, b *building) (*joining, bool) {
	j := &joining{
		left: left, right: right, states: []pair{{}},
		ofLeft: make([]uint32, left.States()), ofRight: make([]uint32, right.States()), ofBoth: map[pair]uint32{},
		sets: joinedSets{left: left, right: right, b: b, pairs: map[pair]uint32{}, ids: map[string]uint32{}},
	}
	if b.limits.Reduce != nil {
		j.leftAlone = absorbing(left, right, func(set, other []int) []int { return b.reduce(slices.Concat(set, other)) })
		j.rightAlone = absorbing(right, left, func(set, other []int) []int { return b.reduce(slices.Concat(other, set)) })
	}
	a := &j.made
	a.Classes, j.columns = joinClasses(left, right)
	a.Columns = len(j.columns)
	a.Next = make([]uint32, 0, (left.States()+right.States())*a.Columns)
	a.Start = j.intern(pair{left.Start, right.Start})
	for state := 0; state < len(j.states); state++ {
		p := j.states[state]
		work := 1
		if p.left != 0 && p.right != 0 {
			work = a.Columns
		}
		if !b.room(len(j.states), a.Columns) || !b.spend(work) {
			return nil, false
		}
		for _, column := range j.columns {
			a.Next = append(a.Next, j.intern(pair{left.step(p.left, column[0]), right.step(p.right, column[1])}))
		}
		a.Accept = append(a.Accept, j.sets.join(pair{left.Accept[p.left], right.Accept[p.right]}))
	}
	a.Sets = j.sets.all
	return j, true
}

func (j *joining) intern(p pair) uint32 {
	switch {
	case j.leftAlone != nil && j.leftAlone[p.left]:
		p.right = 0
	case j.rightAlone != nil && j.rightAlone[p.right]:
		p.left = 0
	}
	switch {
	case p.right == 0 && p.left == 0:
		return 0
	case p.right == 0:
		return j.number(&j.ofLeft[p.left], p)
	case p.left == 0:
		return j.number(&j.ofRight[p.right], p)
	}
	number, ok := j.ofBoth[p]
	if !ok {
		j.number(&number, p)
		j.ofBoth[p] = number
	}
	return number
}

// absorbing are the states from which on everything is accepted, with sets for which reduce drops whatever the other
// automaton may add: /**/.git/** where it has matched. Without them, pairs pile up that are all equal in the end. It is
// nil where there are none.
func absorbing(a, other *Automaton, reduce func(set, other []int) []int) []bool {
	var all []int
	for _, set := range other.Sets {
		all = append(all, set...)
	}
	slices.Sort(all)
	most := slices.Sorted(slices.Values(reduce(nil, slices.Compact(all))))
	absorbs := make([]bool, len(a.Sets)+1)
	for i, set := range a.Sets {
		absorbs[i+1] = !slices.ContainsFunc(reduce(set, most), func(glob int) bool { return !slices.Contains(set, glob) })
	}
	in, count := make([]bool, a.States()), 0
	for state, accept := range a.Accept {
		if in[state] = absorbs[accept]; in[state] {
			count++
		}
	}
	for before := -1; before != count; {
		before = count
		for state := range in {
			if in[state] && slices.ContainsFunc(a.Next[state*a.Columns:(state+1)*a.Columns], func(next uint32) bool { return !in[next] }) {
				in[state] = false
				count--
			}
		}
	}
	if count == 0 {
		return nil
	}
	return in
}

func (j *joining) number(known *uint32, p pair) uint32 {
	if *known == 0 {
		*known = uint32(len(j.states))
		j.states = append(j.states, p)
	}
	return *known
}

// alike labels the states of which it is known that they are equal, and those of which it is not known that they differ.
// A pair may be equal to one of its halves alone, where Reduce drops all that the other half adds; it equals no other
// state of only one automaton, as Reduce would have dropped the difference before. What is left may be equal to each
// other.
func (j *joining) alike(p *partition) []uint32 {
	left, right := uint32(j.left.States()), uint32(j.right.States())
	likeLeft, likeRight := j.like(p, true), j.like(p, false)
	labels := make([]uint32, len(j.states))
	for state, s := range j.states {
		switch {
		case s.right == 0 || likeLeft[state]:
			labels[state] = s.left
		case s.left == 0 || likeRight[state]:
			labels[state] = left + s.right
		default:
			labels[state] = left + right + j.made.Accept[state]
		}
	}
	return labels
}

// like finds the pairs that are equal to one of their halves: those that accept what it accepts, and lead only to such
// pairs, or to where nothing but that half goes on. It begins with all that accept alike, and takes away what leads
// elsewhere.
func (j *joining) like(p *partition, left bool) []bool {
	like := make([]bool, len(j.states))
	var differ []uint32
	for state, s := range j.states {
		half, other, accept := s.left, s.right, pair{left: j.left.Accept[s.left]}
		if !left {
			half, other, accept = s.right, s.left, pair{right: j.right.Accept[s.right]}
		}
		like[state] = other == 0 || half != 0 && j.made.Accept[state] == j.sets.join(accept)
		if !like[state] {
			differ = append(differ, uint32(state))
		}
	}
	for len(differ) > 0 {
		to := differ[len(differ)-1]
		differ = differ[:len(differ)-1]
		for _, from := range p.before[p.first[to]:p.first[to+1]] {
			if like[from] {
				like[from] = false
				differ = append(differ, from)
			}
		}
	}
	return like
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
	pairs       map[pair]uint32
	ids         map[string]uint32
	all         [][]int
}

// join is the accept id for a pair of such ids.
func (s *joinedSets) join(p pair) uint32 {
	if p == (pair{}) {
		return 0
	}
	id, ok := s.pairs[p]
	if !ok {
		id = s.intern(s.union(p))
		s.pairs[p] = id
	}
	return id
}

// union is ascending, for the left one's globs are before the right one's. What one automaton has was reduced before.
func (s *joinedSets) union(p pair) []int {
	switch {
	case p.right == 0:
		return s.left.Sets[p.left-1]
	case p.left == 0:
		return s.right.Sets[p.right-1]
	}
	return s.b.reduce(slices.Concat(s.left.Sets[p.left-1], s.right.Sets[p.right-1]))
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
