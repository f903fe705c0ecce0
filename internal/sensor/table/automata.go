// SPDX-License-Identifier: Apache-2.0

package table

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
)

// Sizes of the table of automata, in cells of 4 bytes.
const (
	PageCells     = 1024
	classMapCells = 256 / 4
)

// Page is 4 KiB of automata in the machine's byte order, which is the kernel's.
type Page [PageCells]uint32

// Placed is where an automaton is: addresses of its map of classes and of the row of its start state, in cells from the
// beginning of the table. Both are 0 where there is none; Start is also 0 where nothing matches.
type Placed struct {
	Classes, Start uint32
}

// automata are appended one after the other, and share pages: most profiles have few patterns. Neither a row nor a map of
// classes straddles a page. Nothing is at address 0.
type automata struct {
	pages []Page
	// end is the first free cell.
	end uint32
	// held are those that are there already, by their content: many profiles have the same patterns.
	held map[[sha256.Size]byte]Placed
	// classes are the maps that are there already.
	classes map[[256]uint8]uint32
}

func newAutomata() automata {
	return automata{pages: make([]Page, 1), end: 1, held: map[[sha256.Size]byte]Placed{}, classes: map[[256]uint8]uint32{}}
}

// add lays an automaton out behind the others, unless an equal one is there.
func (t *automata) add(a *automaton.Automaton) (Placed, error) {
	id := digest(a)
	if placed, ok := t.held[id]; ok {
		return placed, nil
	}
	at, known := t.classes[a.Classes]
	end := t.end
	if !known {
		at = within(end, classMapCells)
		end = at + classMapCells
	}
	rows, end := addresses(a, end)
	pages := int((end + PageCells - 1) / PageCells)
	if pages > MaxPages {
		return Placed{}, &FullError{Table: "automata", Need: pages, Capacity: MaxPages}
	}
	t.pages = append(t.pages, make([]Page, max(pages-len(t.pages), 0))...)
	t.end = end
	if !known {
		t.classes[a.Classes] = at
		for b, class := range a.Classes {
			*t.cell(at + uint32(b/4)) |= uint32(class) << (b % 4 * 8)
		}
	}
	t.write(a, rows)
	placed := Placed{Classes: at, Start: rows[a.Start]}
	t.held[id] = placed
	return placed, nil
}

func (t *automata) write(a *automaton.Automaton, rows []uint32) {
	for state := 1; state < len(rows); state++ {
		*t.cell(rows[state]) = a.Accept[state]
		for column := range a.Columns {
			*t.cell(rows[state] + 1 + uint32(column)) = rows[a.Next[state*a.Columns+column]]
		}
	}
}

// within is the first address from at on where so many cells are in one page.
func within(at, cells uint32) uint32 {
	if left := PageCells - at%PageCells; left < cells {
		return at + left
	}
	return at
}

// addresses of the rows by state, from the cell at on, and the end of the last one. The dead state has none.
func addresses(a *automaton.Automaton, at uint32) (rows []uint32, end uint32) {
	rows = make([]uint32, len(a.Accept))
	size := uint32(1 + a.Columns)
	for state := 1; state < len(rows); state++ {
		rows[state] = within(at, size)
		at = rows[state] + size
	}
	return rows, at
}

func (t *automata) cell(address uint32) *uint32 {
	return &t.pages[address/PageCells][address%PageCells]
}

// Run is the twin of the core's run: the accept id of a path, or 0.
func (t *Tables) Run(at Placed, path string) uint32 {
	cell := func(address uint32) uint32 { return t.Pages[address/PageCells][address%PageCells] }
	row := at.Start
	for i := 0; i < len(path) && row != 0; i++ {
		class := cell(at.Classes+uint32(path[i]/4)) >> (path[i] % 4 * 8) & 0xff
		row = cell(row + 1 + class)
	}
	if row == 0 {
		return 0
	}
	return cell(row)
}

// digest of everything that is laid out; the sets are the profile's affair.
func digest(a *automaton.Automaton) [sha256.Size]byte {
	words := make([]byte, 0, 256+8+4*(len(a.Next)+len(a.Accept)))
	words = append(words, a.Classes[:]...)
	words = binary.LittleEndian.AppendUint32(words, uint32(a.Columns))
	words = binary.LittleEndian.AppendUint32(words, a.Start)
	for _, cells := range [][]uint32{a.Accept, a.Next} {
		for _, cell := range cells {
			words = binary.LittleEndian.AppendUint32(words, cell)
		}
	}
	return sha256.Sum256(words)
}
