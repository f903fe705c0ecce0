// SPDX-License-Identifier: Apache-2.0

package glob

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What follows gives globs their meaning in another way: a tree is written down as a pattern, and at the same time
// every choice of its braces is made, which leaves lists that regular expressions can say.

// part is a byte, a star, two stars, a set of bytes, or braces.
type part struct {
	kind     Kind
	set      Set
	text     string
	branches [][]part
}

func slashOnly() (s Set) {
	s.add('/')
	return s
}

const alphabet = "/ab.\xc3*"

func randomPart(r *rand.Rand, depth int) part {
	switch n := r.IntN(20); {
	case n < 3:
		return part{kind: KindStar, text: "*"}
	case n < 5:
		return part{kind: KindAny, text: strings.Repeat("*", 2+r.IntN(2))}
	case n < 6:
		return part{kind: KindByte, text: "?", set: anyButSlash()}
	case n < 8:
		return randomClass(r)
	case n < 11 && depth < 3:
		p := part{kind: KindBranch}
		for range 1 + r.IntN(3) {
			p.branches = append(p.branches, randomParts(r, depth+1))
		}
		return p
	default:
		b := alphabet[r.IntN(len(alphabet))]
		if r.IntN(3) == 0 {
			b = '/'
		}
		text := string([]byte{b})
		if b == '*' || r.IntN(10) == 0 {
			text = `\` + text
		}
		p := part{kind: KindByte, text: text}
		p.set.add(b)
		return p
	}
}

func randomClass(r *rand.Rand) part {
	p := part{kind: KindByte, text: "["}
	negated := r.IntN(3) == 0
	if negated {
		p.text += "^"
	}
	for range 1 + r.IntN(2) {
		b := alphabet[r.IntN(len(alphabet))]
		p.set.add(b)
		p.text += string([]byte{b})
	}
	if r.IntN(3) == 0 {
		p.text += "a-c"
		p.set.add('a')
		p.set.add('b')
		p.set.add('c')
	}
	p.text += "]"
	if negated {
		p.set = Set{^p.set[0], ^p.set[1], ^p.set[2], ^p.set[3]}
	}
	p.set.remove('/')
	return p
}

func randomParts(r *rand.Rand, depth int) []part {
	var parts []part
	for range r.IntN(6) {
		p := randomPart(r, depth)
		// Two stars beside each other would be written as one.
		if len(parts) > 0 && strings.HasPrefix(p.text, "*") && strings.HasSuffix(parts[len(parts)-1].text, "*") &&
			parts[len(parts)-1].kind != KindByte {
			continue
		}
		parts = append(parts, p)
	}
	return parts
}

func write(parts []part) string {
	var text strings.Builder
	for _, p := range parts {
		text.WriteString(p.text)
		for i, branch := range p.branches {
			text.WriteString([]string{"{", ","}[min(i, 1)])
			text.WriteString(write(branch))
		}
		if p.kind == KindBranch {
			text.WriteString("}")
		}
	}
	return text.String()
}

// expand makes every choice.
func expand(parts []part) [][]part {
	lists := [][]part{nil}
	for _, p := range parts {
		ends := [][]part{{p}}
		if p.kind == KindBranch {
			ends = nil
			for _, branch := range p.branches {
				ends = append(ends, expand(branch)...)
			}
		}
		var longer [][]part
		for _, list := range lists {
			for _, end := range ends {
				longer = append(longer, slices.Concat(list, end))
			}
		}
		lists = longer
	}
	return lists
}

// expression says a list without braces. Paths are to be given as one letter for each byte.
func expression(list []part) string {
	isSlash := func(i int) bool { return i >= 0 && i < len(list) && list[i].set.Has('/') }
	isStar := func(i int) bool { return i < len(list) && list[i].kind != KindByte }
	var text strings.Builder
	text.WriteString(`(?s)\A`)
	for i := 0; i < len(list); i++ {
		if !isStar(i) {
			text.WriteString("[")
			for b := range 256 {
				if list[i].set.Has(byte(b)) {
					fmt.Fprintf(&text, `\x{%x}`, b)
				}
			}
			text.WriteString("]")
			continue
		}
		one, begin := "[^/]", i
		for ; isStar(i); i++ {
			if list[i].kind == KindAny {
				one = "."
			}
		}
		if isSlash(begin-1) && (isSlash(i) || i == len(list)) {
			text.WriteString(one + "+")
		} else {
			text.WriteString(one + "*")
		}
		i--
	}
	text.WriteString(`\z`)
	return text.String()
}

func letters(path string) string {
	runes := make([]rune, len(path))
	for i := range len(path) {
		runes[i] = rune(path[i])
	}
	return string(runes)
}

// randomPath is often one that the list matches, or nearly.
func randomPath(r *rand.Rand, list []part) string {
	var path []byte
	randomBytes := func(n int) {
		for range r.IntN(n) {
			path = append(path, alphabet[r.IntN(len(alphabet))])
		}
	}
	if r.IntN(4) == 0 {
		path = append(path, '/')
		randomBytes(8)
		return string(path)
	}
	for _, p := range list {
		switch {
		case p.kind != KindByte:
			randomBytes(4)
		case r.IntN(30) > 0:
			for try := byte(r.IntN(256)); ; try++ {
				if p.set.Has(try) {
					path = append(path, try)
					break
				}
			}
		}
	}
	return string(path)
}

func TestGlobsMeanWhatTheirExpansionsMean(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	globs, outcomes := 8000, map[bool]int{}
	if testing.Short() {
		globs = 2000
	}
	for range globs {
		parts := append([]part{{kind: KindByte, text: "/", set: slashOnly()}}, randomParts(r, 0)...)
		lists := expand(parts)
		g, err := Parse(write(parts))
		if err != nil {
			if strings.Contains(err.Error(), "matches nothing") {
				continue
			}
			t.Fatalf("%q: %v", write(parts), err)
		}
		if len(lists) > 50 {
			continue
		}
		var expressions []*regexp.Regexp
		for _, list := range lists {
			expressions = append(expressions, regexp.MustCompile(expression(list)))
		}
		for range 20 {
			path := randomPath(r, lists[r.IntN(len(lists))])
			want := slices.ContainsFunc(expressions, func(e *regexp.Regexp) bool { return e.MatchString(letters(path)) })
			outcomes[want]++
			if got := g.Match(path); got != want {
				t.Fatalf("%q on %q: %v, want %v", g, path, got, want)
			}
			if want && !strings.HasPrefix(path, g.Literal()) {
				t.Fatalf("%q matches %q and has the literal %q", g, path, g.Literal())
			}
		}
	}
	t.Logf("cases by outcome: %v", outcomes)
	if outcomes[true] < globs || outcomes[false] < globs {
		t.Error("the cases prove little")
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"/etc/*hado?", "/**/*.conf", "/{a,[b-c],{d,}}**", `/\*[^a]`, "/a[", "/{,", "**"} {
		f.Add(pattern, "/etc/shadow")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		g, err := Parse(pattern)
		if err != nil {
			refusal, ok := err.(*Error) //nolint:errorlint // The documented type itself.
			if !ok || refusal.Position > len(pattern) {
				t.Fatalf("%q: %v", pattern, err)
			}
			return
		}
		if g.Match(path) && !strings.HasPrefix(path, g.Literal()) {
			t.Errorf("%q matches %q and has the literal %q", g, path, g.Literal())
		}
	})
}
