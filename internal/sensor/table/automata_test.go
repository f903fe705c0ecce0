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
	// Rows of the start, behind the slash, behind a, behind b: an accept id, then other bytes, the slash, a, b.
	const start, slash, first, second = 1024 + 64, 1024 + 69, 1024 + 74, 1024 + 79
	var want Page
	want['/'/4] = 1 << ('/' % 4 * 8)
	want['a'/4] = 2<<('a'%4*8) | 3<<('b'%4*8)
	copy(want[64:], []uint32{
		0, 0, slash, 0, 0,
		0, 0, 0, first, second,
		1, 0, 0, 0, 0,
		2, 0, 0, 0, 0,
	})
	if diff := cmp.Diff([]Page{{}, want}, held.pages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if placed != (Placed{Classes: 1024, Start: start}) {
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
		if placed.Classes%PageCells != 0 || placed.Classes == 0 {
			t.Errorf("its classes begin at cell %d", placed.Classes)
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

func TestEqualAutomataAreHeldOnce(t *testing.T) {
	held := newAutomata()
	one, _ := held.add(automatonOf(t, "/a*"))
	other, _ := held.add(automatonOf(t, "/b*"))
	again, _ := held.add(automatonOf(t, "/a*"))
	if one != again || one == other || len(held.pages) != 3 {
		t.Errorf("%+v, %+v, %+v in %d pages", one, other, again, len(held.pages))
	}
}

func TestAutomataThatDoNotFitAreRefusedAndLeaveNothing(t *testing.T) {
	held := newAutomata()
	held.pages = make([]Page, MaxPages-1)
	if _, err := held.add(automatonOf(t, "/a")); err != nil {
		t.Errorf("the last page: %v", err)
	}
	_, err := held.add(automatonOf(t, "/b"))
	var full *FullError
	if !errors.As(err, &full) || *full != (FullError{"automata", MaxPages + 1, MaxPages}) {
		t.Errorf("one page more: %v", err)
	}
	if len(held.pages) != MaxPages || MaxPages*PageCells*4 != 16<<20 {
		t.Errorf("%d pages", len(held.pages))
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
