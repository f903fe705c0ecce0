// SPDX-License-Identifier: Apache-2.0

package table

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

func automatonOf(t testing.TB, patterns ...string) *automaton.Automaton {
	t.Helper()
	var globs []*glob.Glob
	for _, pattern := range patterns {
		g, err := glob.Parse(pattern)
		if err != nil {
			t.Fatal(err)
		}
		globs = append(globs, g)
	}
	a, err := automaton.Build(globs, automaton.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func manyPatterns(n int) []string {
	patterns := make([]string, n)
	for i := range patterns {
		patterns[i] = fmt.Sprintf("/opt/app-%d/**/*.so", i)
	}
	return patterns
}

func TestASmallAutomatonIsLaidOutAsTheContractSays(t *testing.T) {
	a := automatonOf(t, "/a", "/b")
	held := newAutomata()
	placed, err := held.add(a)
	if err != nil {
		t.Fatal(err)
	}
	// The map of classes is at 1. Rows of the start, behind the slash, behind a, behind b: an accept id, then other bytes,
	// the slash, a, b.
	const start, slash, first, second = 65, 70, 75, 80
	var want Page
	want[1+'/'/4] = 1 << ('/' % 4 * 8)
	want[1+'a'/4] = 2<<('a'%4*8) | 3<<('b'%4*8)
	copy(want[start:], []uint32{
		0, 0, slash, 0, 0,
		0, 0, 0, first, second,
		1, 0, 0, 0, 0,
		2, 0, 0, 0, 0,
	})
	if diff := cmp.Diff([]Page{want}, held.pages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if placed != (Placed{Classes: 1, Start: start}) {
		t.Errorf("it is at %+v", placed)
	}
}

func TestAutomataSayWhatTheySaidBefore(t *testing.T) {
	held := newAutomata()
	automata := []*automaton.Automaton{
		automatonOf(t), automatonOf(t, "/a"), automatonOf(t, "/**/*.conf", "/etc/*hado?", "/[a-c]/{x,y}*"), automatonOf(t, manyPatterns(200)...),
		automatonOf(t, "/"+everyByte()), automatonOf(t, "/a*", "/*b"),
	}
	var at []Placed
	for _, a := range automata {
		placed, err := held.add(a)
		if err != nil {
			t.Fatal(err)
		}
		if last := placed.Classes + classMapCells - 1; placed.Classes/PageCells != last/PageCells || placed.Classes == 0 {
			t.Errorf("its classes are in the cells %d to %d", placed.Classes, last)
		}
		at = append(at, placed)
	}
	tables := &Tables{Pages: held.pages}
	r := rand.New(rand.NewPCG(2, 2))
	pieces := []string{"/", "/", "a", "b", "x", "y", "etc/shadow", "etc/", ".conf", "opt/app-17/", "opt/app-199/x/", "l.so", "\xff", "\x01"}
	accepted := 0
	for range 20_000 {
		path := "/"
		for range r.IntN(5) {
			path += pieces[r.IntN(len(pieces))]
		}
		for i, a := range automata {
			want := a.Run(path)
			if got := tables.Run(at[i], path); got != want {
				t.Fatalf("automaton %d on %q: %d, want %d", i, path, got, want)
			}
			accepted += int(min(want, 1))
		}
	}
	if got := tables.Run(at[4], "/"+string(rawBytes())); got != 1 {
		t.Errorf("a path of every byte: %d", got)
	}
	if accepted < 1000 {
		t.Errorf("%d accepted: the cases prove little", accepted)
	}
}

// rawBytes are all but those that no component has.
func rawBytes() (all []byte) {
	for b := 1; b < 256; b++ {
		if b != '/' {
			all = append(all, byte(b))
		}
	}
	return all
}

func everyByte() string {
	var pattern []byte
	for _, b := range rawBytes() {
		pattern = append(pattern, '\\', b)
	}
	return string(pattern)
}

func TestNoRowStraddlesAPage(t *testing.T) {
	for columns := 1; columns <= 256; columns++ {
		a := &automaton.Automaton{Columns: columns, Accept: make([]uint32, 3000)}
		rows, end := addresses(a, 1024+classMapCells)
		for state, row := range rows {
			size := uint32(1 + a.Columns)
			if state == 0 {
				if row != 0 {
					t.Errorf("the dead state has a row at %d", row)
				}
				continue
			}
			if row/PageCells != (row+size-1)/PageCells {
				t.Errorf("the row of state %d is at %d to %d", state, row, row+size-1)
			}
			if state > 1 && row < rows[state-1]+size {
				t.Errorf("the rows of states %d and %d overlap", state-1, state)
			}
		}
		if last := rows[len(rows)-1]; end != last+uint32(1+a.Columns) {
			t.Errorf("the last row is at %d and they end at %d", last, end)
		}
	}
}

func TestEqualAutomataAreHeldOnceAndEqualClassesToo(t *testing.T) {
	held := newAutomata()
	one, _ := held.add(automatonOf(t, "/a*"))
	other, _ := held.add(automatonOf(t, "/b*"))
	twice, _ := held.add(automatonOf(t, "/aa*"))
	end := held.end
	again, _ := held.add(automatonOf(t, "/a*"))
	if one != again || one == other || one == twice || held.end != end {
		t.Errorf("%+v, %+v, %+v up to cell %d, %d before", one, other, again, held.end, end)
	}
	if one.Classes != twice.Classes || one.Classes == other.Classes || len(held.pages) != 1 {
		t.Errorf("%+v, %+v, %+v in %d pages", one, other, twice, len(held.pages))
	}
}

func TestAutomataThatDoNotFitAreRefusedAndLeaveNothing(t *testing.T) {
	held := newAutomata()
	held.pages, held.end = make([]Page, MaxPages-1), (MaxPages-1)*PageCells
	if _, err := held.add(automatonOf(t, "/a")); err != nil {
		t.Errorf("the last page: %v", err)
	}
	held.end = MaxPages*PageCells - classMapCells - 1
	_, err := held.add(automatonOf(t, "/b"))
	var full *FullError
	if !errors.As(err, &full) || *full != (FullError{"automata", MaxPages + 1, MaxPages, 0}) {
		t.Errorf("one page more: %v", err)
	}
	if len(held.pages) != MaxPages || MaxPages*PageCells*4 != 16<<20 || held.end != MaxPages*PageCells-classMapCells-1 {
		t.Errorf("%d pages, up to cell %d", len(held.pages), held.end)
	}
	if _, err := held.add(automatonOf(t, "/b")); !errors.As(err, &full) {
		t.Errorf("it is held after all: %v", err)
	}
}

func BenchmarkLayOutAutomata(b *testing.B) {
	a := automatonOf(b, manyPatterns(1000)...)
	for b.Loop() {
		held := newAutomata()
		if _, err := held.add(a); err != nil {
			b.Fatal(err)
		}
	}
}
