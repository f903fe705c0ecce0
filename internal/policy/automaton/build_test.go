// SPDX-License-Identifier: Apache-2.0

package automaton

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

func parse(t testing.TB, patterns ...string) []*glob.Glob {
	t.Helper()
	var globs []*glob.Glob
	for _, pattern := range patterns {
		g, err := glob.Parse(pattern)
		if err != nil {
			t.Fatal(err)
		}
		globs = append(globs, g)
	}
	return globs
}

func build(t testing.TB, globs []*glob.Glob, limits Limits) *Automaton {
	t.Helper()
	a, err := Build(globs, limits)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// matches are the globs that the automaton says match.
func matches(a *Automaton, path string) []int {
	if id := a.Run(path); id != 0 {
		return a.Sets[id-1]
	}
	return nil
}

func plainMatches(globs []*glob.Glob, path string) []int {
	var set []int
	for i, g := range globs {
		if g.Match(path) {
			set = append(set, i)
		}
	}
	return set
}

func TestTheAutomatonOfAFewGlobs(t *testing.T) {
	a := build(t, parse(t, "/a*", "/a/**", "/{b,a}", "/?b"), Limits{})
	for path, want := range map[string][]int{
		"": nil, "/": nil, "/a": {0, 2}, "/b": {2}, "/ab": {0, 3}, "/abc": {0}, "/a/": nil, "/a/b": {1}, "/a/b/c": {1}, "/cb": {3}, "/c": nil, "//b": nil,
	} {
		if diff := cmp.Diff(want, matches(a, path)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", path, diff)
		}
	}
}

func TestTheAutomatonIsTheSmallestAndNumberedInOneWay(t *testing.T) {
	// The dead state, the start, behind the slash, behind a, and behind any other: of both ways to write them.
	want := &Automaton{
		Columns: 4,
		Start:   1,
		Next: []uint32{
			0, 0, 0, 0,
			0, 2, 0, 0,
			0, 0, 3, 4,
			0, 0, 0, 0,
			0, 0, 0, 0,
		},
		Accept: []uint32{0, 0, 0, 1, 2},
		Sets:   [][]int{{0}, {1}},
	}
	want.Classes['/'], want.Classes['a'] = 1, 2
	for b := 'b'; b <= 'z'; b++ {
		want.Classes[b] = 3
	}
	for _, patterns := range [][]string{{"/a", "/[b-z]"}, {"{/a,/{a,}a{,}}", "/{[b-g],[h-z]}"}} {
		got := build(t, parse(t, patterns...), Limits{})
		if patterns[0] == "/a" {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", patterns, diff)
			}
		}
	}
	one, other := build(t, parse(t, "/a[bc]*", "/x"), Limits{}), build(t, parse(t, "/{ac,ab}*", "/{x,x{,}}"), Limits{})
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("two ways to write the same globs (-one +other):\n%s", diff)
	}
}

func TestAsManyStatesAsAreAllowedAreNotTooMany(t *testing.T) {
	globs := parse(t, "/aaa", "/bbb")
	if a := build(t, globs, Limits{States: 9}); a.States() != 9 {
		t.Errorf("%d states", a.States())
	}
	if _, err := Build(globs, Limits{States: 8}); err == nil {
		t.Error("one more was allowed")
	}
}

func TestGlobsThatMayCancelEachOther(t *testing.T) {
	a := build(t, parse(t, "/a", "/[ab]"), Limits{Reduce: func(set []int) []int {
		if len(set) > 1 {
			return nil
		}
		return set
	}})
	if a.Run("/a") != 0 || a.Run("/b") != 1 {
		t.Errorf("/a is %d, /b is %d", a.Run("/a"), a.Run("/b"))
	}
}

func TestTheAutomatonOfNoGlobMatchesNothing(t *testing.T) {
	a := build(t, nil, Limits{})
	if a.Run("") != 0 || a.Run("/a") != 0 || a.States() != 1 {
		t.Errorf("it matches: %+v", a)
	}
	a = build(t, parse(t, "/a", "/b*"), Limits{Reduce: func([]int) []int { return nil }})
	if a.Run("/a") != 0 || a.States() != 1 {
		t.Errorf("it matches what was dropped: %+v", a)
	}
}

// keepFirst is what makes states of the rest of a set one.
func keepFirst(set []int) []int { return set[:1] }

func TestReduceDropsWhatDoesNotMatterAndKeepsTheAutomatonSmall(t *testing.T) {
	var patterns []string
	for c := 'a'; c <= 'z'; c++ {
		patterns = append(patterns, fmt.Sprintf("/**%c%c*", c, c))
	}
	globs := parse(t, patterns...)
	a := build(t, globs, Limits{Reduce: keepFirst})
	if a.States() > 400 {
		t.Errorf("%d states", a.States())
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		path := "/" + randomText(r, "abcxyzz/", 8)
		want := plainMatches(globs, path)
		if diff := cmp.Diff(want[:min(1, len(want))], matches(a, path)); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", path, diff)
		}
	}
}

func TestGlobsThatAreTooMuchAreNamed(t *testing.T) {
	bomb := "/**a" + strings.Repeat("?", 24)
	// Each takes 3 states, and all together 3 more.
	eight := []string{"/aaa", "/bbb", "/ccc", "/ddd", "/eee", "/fff", "/ggg", "/hhh"}
	tests := map[string]struct {
		patterns []string
		limits   Limits
		want     int
	}{
		"one that is too much alone":            {[]string{"/a", "/b", bomb, "/c"}, Limits{}, 2},
		"one that is the first":                 {[]string{bomb, "/a"}, Limits{}, 0},
		"one over the limit of states alone":    {[]string{"/a", "/bcdefghijklm"}, Limits{States: 10}, 1},
		"one over the limit with those before":  {[]string{"/aaa", "/bbb", "/ccc", "/ddd"}, Limits{States: 10}, 2},
		"one in the middle of the second half":  {eight, Limits{States: 21}, 6},
		"the first of the second half":          {eight, Limits{States: 15}, 4},
		"one over the limit of work":            {[]string{"/a", "/" + strings.Repeat("b", 1000)}, Limits{Work: 1000}, 1},
		"one whose states are large sets":       {[]string{"/a", "/**" + strings.Repeat("a", 4000)}, Limits{}, 1},
		"one that takes long to look at":        {[]string{"/**{a,b" + strings.Repeat("{", 1000) + strings.Repeat("}", 1000) + "}??????????"}, Limits{Work: 1 << 21}, 0},
		"the last one, where all work was done": {[]string{"/aa", "/bb", "/cc", "/dd"}, Limits{Work: 150}, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			globs := parse(t, test.patterns...)
			a, err := Build(globs, test.limits)
			var tooComplex *TooComplexError
			if !errors.As(err, &tooComplex) || a != nil {
				t.Fatalf("got %v", err)
			}
			if tooComplex.Glob != test.want || tooComplex.Pattern != test.patterns[test.want] {
				t.Errorf("glob %d, %q", tooComplex.Glob, tooComplex.Pattern)
			}
			for dropped := 0; err != nil; dropped++ {
				if dropped == len(test.patterns) {
					t.Fatal("nothing is left")
				}
				if !errors.As(err, &tooComplex) {
					t.Fatal(err)
				}
				globs = slices.Delete(globs, tooComplex.Glob, tooComplex.Glob+1)
				_, err = Build(globs, test.limits)
			}
			if len(globs) == 0 && len(test.patterns) > 1 {
				t.Error("all had to be dropped")
			}
		})
	}
}

const letters = "/ab.\xc3"

func randomText(r *rand.Rand, of string, length int) string {
	text := make([]byte, r.IntN(length+1))
	for i := range text {
		text[i] = of[r.IntN(len(of))]
	}
	return string(text)
}

// randomPattern is often none.
func randomPattern(r *rand.Rand) string {
	fragments := []string{
		"*", "*", "**", "**", "?", "[ab]", "[^a]", "[.-b]", "{", "{", ",", ",", "}", "}", "/", "/", "/", "/*/", "/**/", "/*", "/**",
		"a", "b", ".", "\xc3", `\*`, `\/`, "{a,b}", "{,a}", "{/*,b}", "ab", "a/b", "aa/",
	}
	pattern := "/"
	for range r.IntN(9) {
		pattern += fragments[r.IntN(len(fragments))]
	}
	return pattern
}

func randomGlobs(r *rand.Rand) []*glob.Glob {
	var globs []*glob.Glob
	for want := 1 + r.IntN(6); len(globs) < want; {
		if g, err := glob.Parse(randomPattern(r)); err == nil {
			globs = append(globs, g)
		}
	}
	return globs
}

// nearPath fills in a glob at random, or is any path.
func nearPath(r *rand.Rand, globs []*glob.Glob) string {
	if r.IntN(4) == 0 {
		return "/" + randomText(r, letters, 8)
	}
	steps := globs[r.IntN(len(globs))].Steps()
	var path []byte
	for at := 0; steps[at].Kind != glob.KindEnd; {
		step := &steps[at]
		switch step.Kind {
		case glob.KindStar, glob.KindAny:
			path = append(path, randomText(r, letters, 3)...)
		case glob.KindByte:
			for b := byte(r.IntN(256)); ; b++ {
				if step.Set.Has(b) {
					path = append(path, b)
					break
				}
			}
		}
		at = step.Next[r.IntN(len(step.Next))]
	}
	if r.IntN(8) == 0 && len(path) > 0 {
		path[r.IntN(len(path))] = letters[r.IntN(len(letters))]
	}
	return string(path)
}

func TestTheAutomatonSaysWhatTheGlobsSay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	rounds, paths := 5000, 30
	if testing.Short() {
		rounds = 1000
	}
	outcomes := map[int]int{}
	for round := range rounds {
		globs := randomGlobs(r)
		a := build(t, globs, Limits{})
		if round%50 == 0 {
			if diff := cmp.Diff(a, build(t, globs, Limits{})); diff != "" {
				t.Fatalf("%v: built twice (-first +second):\n%s", globs, diff)
			}
		}
		reduced := build(t, globs, Limits{Reduce: keepFirst})
		for _, made := range []*Automaton{a, reduced} {
			if diff := cmp.Diff(minimize(made, byAccept), made); diff != "" {
				t.Fatalf("%v: not the smallest (-smallest +built):\n%s", globs, diff)
			}
		}
		if reduced.States() > a.States() {
			t.Fatalf("%v: reducing made %d states of %d", globs, reduced.States(), a.States())
		}
		for range paths {
			path := nearPath(r, globs)
			want := plainMatches(globs, path)
			outcomes[min(len(want), 3)]++
			if diff := cmp.Diff(want, matches(a, path)); diff != "" {
				t.Fatalf("%q on %q (-globs +automaton):\n%s", globs, path, diff)
			}
			if diff := cmp.Diff(want[:min(1, len(want))], matches(reduced, path)); diff != "" {
				t.Fatalf("%q on %q, reduced (-globs +automaton):\n%s", globs, path, diff)
			}
		}
	}
	t.Logf("%d cases by how many match: %v", rounds*paths, outcomes)
	for n := range 4 {
		if outcomes[n] < rounds*paths/100 {
			t.Errorf("%d globs matched in %d cases only: they prove little", n, outcomes[n])
		}
	}
}

func FuzzBuild(f *testing.F) {
	f.Add("/a*", "/**/b", "/a/b")
	f.Add("/{a,b{c,}}", "/[^a]?", "/bc")
	f.Fuzz(func(t *testing.T, first, second, path string) {
		one, err := glob.Parse(first)
		if err != nil {
			return
		}
		other, err := glob.Parse(second)
		if err != nil {
			return
		}
		globs := []*glob.Glob{one, other}
		a, err := Build(globs, Limits{States: 1000, Work: 1 << 20})
		if err != nil {
			return
		}
		if diff := cmp.Diff(plainMatches(globs, path), matches(a, path)); diff != "" {
			t.Errorf("%q on %q (-globs +automaton):\n%s", globs, path, diff)
		}
	})
}
