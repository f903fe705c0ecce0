// SPDX-License-Identifier: Apache-2.0

package automaton

import (
	"encoding/binary"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

// determining makes an automaton of one glob: each of its states is a set of the glob's.
type determining struct {
	steps []glob.Step
	// bytes are one of each class.
	bytes []byte
	// states of the automaton: sorted sets, by their numbers and by their content.
	states [][]uint32
	number map[string]uint32
	// within marks, with the number of the round, what is in the set that is being made.
	within []uint32
	round  uint32
	set    []uint32
	key    []byte
	// visits of steps since the last row, and what all sets together hold.
	visits, held int
}

// determine says no where the automaton is over the limits.
func determine(index int, b *building) (*Automaton, bool) {
	steps := b.globs[index].Steps()
	d := &determining{steps: steps, states: [][]uint32{nil}, number: map[string]uint32{}, within: make([]uint32, len(steps)*glob.Places)}
	a := &Automaton{Classes: classesOf(steps)}
	d.bytes = representatives(&a.Classes)
	a.Columns = len(d.bytes)
	if set := b.reduce([]int{index}); len(set) > 0 {
		a.Sets = [][]int{set}
	}
	d.begin()
	d.enter(0, glob.PlaceInside)
	a.Start = d.intern()
	for state := 0; state < len(d.states); state++ {
		if !b.room(len(d.states), a.Columns) || !b.spend(a.Columns+d.visits) || d.held > maxCells {
			return nil, false
		}
		d.visits = 0
		for _, char := range d.bytes {
			a.Next = append(a.Next, d.next(d.states[state], char))
		}
		accept := uint32(0)
		if d.ends(d.states[state]) {
			accept = uint32(len(a.Sets))
		}
		a.Accept = append(a.Accept, accept)
	}
	return a, true
}

// classesOf puts into one class the bytes that no step tells apart, in the order of the first of each.
func classesOf(steps []glob.Step) [256]uint8 {
	var slash glob.Set
	slash['/'/64] |= 1 << ('/' % 64)
	sets := map[glob.Set]bool{slash: true}
	order := []glob.Set{slash}
	for _, step := range steps {
		if step.Kind == glob.KindByte && !sets[step.Set] {
			sets[step.Set] = true
			order = append(order, step.Set)
		}
	}
	var classes [256]uint8
	for _, set := range order {
		// By class and whether the byte is in the set: one more than the new class.
		var parts [256][2]uint16
		count := uint16(0)
		for b := range classes {
			in := 0
			if set.Has(byte(b)) {
				in = 1
			}
			part := &parts[classes[b]][in]
			if *part == 0 {
				count++
				*part = count
			}
			classes[b] = uint8(*part - 1)
		}
	}
	return classes
}

// representatives are the first bytes of the classes.
func representatives(classes *[256]uint8) []byte {
	var first []byte
	for b, class := range classes {
		if int(class) == len(first) {
			first = append(first, byte(b))
		}
	}
	return first
}

func (d *determining) begin() {
	d.round++
	d.set = d.set[:0]
}

// enter adds a step, and what can be reached from it without reading.
func (d *determining) enter(step int, place glob.Place) {
	d.visits++
	at := step*glob.Places + int(place)
	if d.within[at] == d.round {
		return
	}
	d.within[at] = d.round
	switch s := &d.steps[step]; s.Kind {
	case glob.KindBranch:
		for _, next := range s.Next {
			d.enter(next, place)
		}
	case glob.KindStar, glob.KindAny:
		d.set = append(d.set, uint32(at))
		d.enter(s.Next[0], glob.AfterNothing(place))
	default:
		d.set = append(d.set, uint32(at))
	}
}

// intern is the number of the set that was made; the empty one is the dead state.
func (d *determining) intern() uint32 {
	if len(d.set) == 0 {
		return 0
	}
	slices.Sort(d.set)
	d.key = d.key[:0]
	for _, at := range d.set {
		d.key = binary.LittleEndian.AppendUint32(d.key, at)
	}
	number, ok := d.number[string(d.key)]
	if !ok {
		number = uint32(len(d.states))
		d.number[string(d.key)] = number
		d.states = append(d.states, slices.Clone(d.set))
		d.held += len(d.set)
	}
	return number
}

func (d *determining) next(set []uint32, char byte) uint32 {
	d.begin()
	d.visits += len(set)
	for _, at := range set {
		step, place := int(at/glob.Places), glob.Place(at%glob.Places)
		switch s := &d.steps[step]; s.Kind {
		case glob.KindByte:
			if s.Set.Has(char) && (char != '/' || place != glob.PlaceEmpty) {
				d.enter(s.Next[0], glob.After(char))
			}
		case glob.KindStar:
			if char != '/' {
				d.enter(step, glob.PlaceInside)
			}
		case glob.KindAny:
			d.enter(step, glob.PlaceInside)
		}
	}
	return d.intern()
}

func (d *determining) ends(set []uint32) bool {
	return slices.ContainsFunc(set, func(at uint32) bool {
		return d.steps[at/glob.Places].Kind == glob.KindEnd && glob.Place(at%glob.Places) != glob.PlaceEmpty
	})
}
