// SPDX-License-Identifier: Apache-2.0

package automaton

import (
	"cmp"
	"slices"
)

// minimize makes the smallest automaton that accepts the same sets, numbered in one way only: states and sets as they
// are met from the start on, columns by their first byte. States that are equal must be alike.
func minimize(a *Automaton, alike func(*partition) []uint32) *Automaton {
	p := &partition{a: a}
	p.linkBack()
	p.begins(alike(p))
	p.refine()
	return p.quotient()
}

// byAccept is what is known of states before they are looked at.
func byAccept(p *partition) []uint32 { return p.a.Accept }

// partition of an automaton's states into blocks. It begins with blocks of states that are alike, and splits those whose
// states lead into different blocks (Hopcroft's way: of what is split, the largest part keeps its name, so that a state is
// renamed a logarithmic number of times; only those before renamed ones are looked at again).
type partition struct {
	a *Automaton
	// block of each state.
	block []uint32
	// states by block: those of block b are states[begin[b]:end[b]], and the first stale[b] of them are to be looked at.
	states            []uint32
	place             []uint32
	begin, end, stale []uint32
	// before[first[s]:first[s+1]] are the states that lead to s.
	before, first []uint32
	// work are the blocks with anything stale.
	work []uint32
}

// begins with a block for each label. Blocks of one state need no look.
func (p *partition) begins(labels []uint32) {
	n := p.a.States()
	p.block, p.states, p.place = make([]uint32, n), make([]uint32, n), make([]uint32, n)
	for i := range p.states {
		p.states[i] = uint32(i)
	}
	slices.SortStableFunc(p.states, func(x, y uint32) int { return cmp.Compare(labels[x], labels[y]) })
	for i, state := range p.states {
		p.place[state] = uint32(i)
		if i == 0 || labels[state] != labels[p.states[i-1]] {
			p.open(uint32(i), uint32(i))
		}
		b := len(p.begin) - 1
		p.end[b]++
		p.block[state] = uint32(b)
	}
	for b := range p.begin {
		if count := p.end[b] - p.begin[b]; count > 1 {
			p.stale[b] = count
			p.work = append(p.work, uint32(b))
		}
	}
}

func (p *partition) open(begin, end uint32) uint32 {
	p.begin, p.end, p.stale = append(p.begin, begin), append(p.end, end), append(p.stale, 0)
	return uint32(len(p.begin) - 1)
}

// linkBack finds who leads where.
func (p *partition) linkBack() {
	n := p.a.States()
	last := make([]uint32, n)
	edges := func(visit func(from, to uint32)) {
		clear(last)
		for from := range n {
			for _, to := range p.a.Next[from*p.a.Columns : (from+1)*p.a.Columns] {
				if last[to] != uint32(from+1) {
					last[to] = uint32(from + 1)
					visit(uint32(from), to)
				}
			}
		}
	}
	p.first = make([]uint32, n+1)
	edges(func(_, to uint32) { p.first[to+1]++ })
	for s := range n {
		p.first[s+1] += p.first[s]
	}
	p.before = make([]uint32, p.first[n])
	fill := slices.Clone(p.first)
	edges(func(from, to uint32) {
		p.before[fill[to]] = from
		fill[to]++
	})
}

func (p *partition) refine() {
	for len(p.work) > 0 {
		b := p.work[len(p.work)-1]
		p.work = p.work[:len(p.work)-1]
		p.split(b)
	}
}

// compare two states by the blocks that they lead to.
func (p *partition) compare(x, y uint32) int {
	k := p.a.Columns
	nextX, nextY := p.a.Next[int(x)*k:int(x+1)*k], p.a.Next[int(y)*k:int(y+1)*k]
	for c := range nextX {
		if nextX[c] != nextY[c] {
			if d := cmp.Compare(p.block[nextX[c]], p.block[nextY[c]]); d != 0 {
				return d
			}
		}
	}
	return 0
}

// split a block. Its states that are not stale still lead to the same blocks, each of them, and the stale ones to others.
func (p *partition) split(b uint32) {
	begin, fresh, end := p.begin[b], p.begin[b]+p.stale[b], p.end[b]
	p.stale[b] = 0
	stale := p.states[begin:fresh]
	slices.SortFunc(stale, p.compare)
	bounds := []uint32{begin}
	for i, state := range stale {
		p.place[state] = begin + uint32(i)
		if i > 0 && p.compare(stale[i-1], state) != 0 {
			bounds = append(bounds, begin+uint32(i))
		}
	}
	if fresh < end {
		bounds = append(bounds, fresh)
	}
	bounds = append(bounds, end)
	largest := 0
	for i := range len(bounds) - 1 {
		if bounds[i+1]-bounds[i] > bounds[largest+1]-bounds[largest] {
			largest = i
		}
	}
	p.begin[b], p.end[b] = bounds[largest], bounds[largest+1]
	for i := range len(bounds) - 1 {
		if i != largest {
			p.rename(bounds[i], bounds[i+1])
		}
	}
	for i := range len(bounds) - 1 {
		if i != largest {
			p.outdate(bounds[i], bounds[i+1])
		}
	}
}

// rename gives states a block of their own.
func (p *partition) rename(begin, end uint32) {
	b := p.open(begin, end)
	for _, state := range p.states[begin:end] {
		p.block[state] = b
	}
}

// outdate makes stale whoever leads to states that were renamed.
func (p *partition) outdate(begin, end uint32) {
	// A copy: marking moves states within their blocks.
	for _, renamed := range slices.Clone(p.states[begin:end]) {
		for _, state := range p.before[p.first[renamed]:p.first[renamed+1]] {
			p.mark(state)
		}
	}
}

func (p *partition) mark(state uint32) {
	b := p.block[state]
	to := p.begin[b] + p.stale[b]
	if p.place[state] < to {
		return
	}
	if p.end[b]-p.begin[b] == 1 {
		return
	}
	if p.stale[b] == 0 {
		p.work = append(p.work, b)
	}
	other, from := p.states[to], p.place[state]
	p.states[to], p.states[from] = state, other
	p.place[state], p.place[other] = to, from
	p.stale[b]++
}

// quotient has a state for each block.
func (p *partition) quotient() *Automaton {
	a := p.a
	q := &Automaton{}
	var columns []int
	q.Classes, columns = p.mergeColumns()
	q.Columns = len(columns)
	q.Next = make([]uint32, 0, len(p.begin)*q.Columns)
	number := make([]uint32, len(p.begin))
	order := []uint32{p.block[0]}
	meet := func(b uint32) uint32 {
		if number[b] == 0 && b != p.block[0] {
			number[b] = uint32(len(order))
			order = append(order, b)
		}
		return number[b]
	}
	q.Start = meet(p.block[a.Start])
	sets := make([]uint32, len(a.Sets)+1)
	for i := 0; i < len(order); i++ {
		state := p.states[p.begin[order[i]]]
		for _, c := range columns {
			q.Next = append(q.Next, meet(p.block[a.step(state, c)]))
		}
		accept := a.Accept[state]
		if accept != 0 && sets[accept] == 0 {
			q.Sets = append(q.Sets, a.Sets[accept-1])
			sets[accept] = uint32(len(q.Sets))
		}
		q.Accept = append(q.Accept, sets[accept])
	}
	return q
}

// mergeColumns finds the columns that lead to the same blocks everywhere: the new classes, and an old column for each.
func (p *partition) mergeColumns() (classes [256]uint8, columns []int) {
	a := p.a
	sums := p.sums()
	// same is the first of the columns that are equal. Their sums are, and hardly ever those of others.
	same, first := make([]int, a.Columns), map[uint64]int{}
	for c, sum := range sums {
		same[c] = c
		if f, ok := first[sum]; !ok {
			first[sum] = c
		} else if p.equal(f, c) {
			same[c] = f
		}
	}
	class := map[int]uint8{}
	for b := range classes {
		c := same[a.Classes[b]]
		if _, ok := class[c]; !ok {
			class[c] = uint8(len(columns))
			columns = append(columns, c)
		}
		classes[b] = class[c]
	}
	return classes, columns
}

// sums of the columns, over the blocks that they lead to, in the way of FNV-1a.
func (p *partition) sums() []uint64 {
	sums := make([]uint64, p.a.Columns)
	for _, begin := range p.begin {
		from := int(p.states[begin]) * p.a.Columns
		for c, next := range p.a.Next[from : from+p.a.Columns] {
			sums[c] = (sums[c] ^ uint64(p.block[next])) * 1099511628211
		}
	}
	return sums
}

// equal says whether two columns lead to the same blocks everywhere.
func (p *partition) equal(x, y int) bool {
	for _, begin := range p.begin {
		state := p.states[begin]
		if p.block[p.a.step(state, x)] != p.block[p.a.step(state, y)] {
			return false
		}
	}
	return true
}
