// SPDX-License-Identifier: Apache-2.0

package glob

import "strings"

// Parse reads a glob. Its errors are *Error.
func Parse(pattern string) (*Glob, error) {
	if len(pattern) > MaxLength {
		return nil, &Error{MaxLength, "a pattern is at most 4095 bytes long"}
	}
	if i := strings.IndexByte(pattern, 0); i >= 0 {
		return nil, &Error{i, "a zero byte is in no path"}
	}
	p := &parser{text: pattern}
	tokens, err := p.sequence(false)
	if err != nil {
		return nil, err
	}
	g := &Glob{source: pattern, literal: literal(tokens), steps: link(tokens)}
	if !g.startsWithSlash() {
		return nil, &Error{0, "it matches no absolute path: begin with / or **"}
	}
	return g, nil
}

// token is a node of the tree that a glob is.
type token struct {
	kind Kind
	// set of a KindByte.
	set Set
	// branches of a KindBranch.
	branches [][]token
}

type parser struct {
	text string
	at   int
}

func (p *parser) fail(position int, reason string) error { return &Error{position, reason} }

// sequence reads up to the end, or within braces up to the comma or brace that ends it.
func (p *parser) sequence(braces bool) ([]token, error) {
	var tokens []token
	for p.at < len(p.text) {
		if b := p.text[p.at]; braces && (b == ',' || b == '}') {
			break
		}
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

func (p *parser) token() (token, error) {
	start := p.at
	p.at++
	switch b := p.text[start]; b {
	case '*':
		return p.stars(start), nil
	case '?':
		return token{kind: KindByte, set: anyButSlash()}, nil
	case '[':
		return p.class(start)
	case '{':
		return p.alternatives(start)
	case '\\':
		p.at = start
		b, err := p.escaped()
		return byteToken(b), err
	case ']', '}':
		return token{}, p.fail(start, `nothing is open that "`+string(rune(b))+`" could close: write \`+string(rune(b))+" for the byte itself")
	default:
		return byteToken(b), nil
	}
}

func byteToken(b byte) token {
	t := token{kind: KindByte}
	t.set.add(b)
	return t
}

func anyButSlash() Set {
	s := Set{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	s.remove('/')
	return s
}

func (p *parser) stars(start int) token {
	for p.at < len(p.text) && p.text[p.at] == '*' {
		p.at++
	}
	if p.at-start > 1 {
		return token{kind: KindAny}
	}
	return token{kind: KindStar}
}

// escaped reads one byte, which may have a backslash before it.
func (p *parser) escaped() (byte, error) {
	start := p.at
	if p.text[start] == '\\' {
		if start+1 == len(p.text) {
			return 0, p.fail(start, `nothing follows the backslash: write \\ for the byte itself`)
		}
		p.at++
	}
	p.at++
	return p.text[p.at-1], nil
}

func (p *parser) alternatives(start int) (token, error) {
	t := token{kind: KindBranch}
	for {
		branch, err := p.sequence(true)
		if err != nil {
			return token{}, err
		}
		t.branches = append(t.branches, branch)
		if p.at == len(p.text) {
			return token{}, p.fail(start, `"{" is not closed: write \{ for the byte itself`)
		}
		p.at++
		if p.text[p.at-1] == '}' {
			return t, nil
		}
	}
}

func (p *parser) class(start int) (token, error) {
	negated := strings.HasPrefix(p.text[p.at:], "^")
	if negated {
		p.at++
	}
	t := token{kind: KindByte}
	for first := p.at; ; {
		if p.at == len(p.text) {
			return token{}, p.fail(start, `"[" is not closed: write \[ for the byte itself`)
		}
		if p.text[p.at] == ']' {
			if p.at == first {
				return token{}, p.fail(start, `the class is empty: write \] for the byte itself`)
			}
			p.at++
			break
		}
		if err := p.span(&t.set); err != nil {
			return token{}, err
		}
	}
	if negated {
		for i := range t.set {
			t.set[i] = ^t.set[i]
		}
	}
	t.set.remove('/')
	if t.set == (Set{}) {
		return token{}, p.fail(start, "the class matches nothing: / is in no class")
	}
	return t, nil
}

// span reads one byte of a class, or a range. A - at either end of the class is the byte itself.
func (p *parser) span(set *Set) error {
	start := p.at
	low, err := p.escaped()
	if err != nil {
		return err
	}
	high := low
	if rest := p.text[p.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		p.at++
		if high, err = p.escaped(); err != nil {
			return err
		}
	}
	if high < low {
		return p.fail(start, "the range ends before it begins")
	}
	for b := int(low); b <= int(high); b++ {
		set.add(byte(b))
	}
	return nil
}

// literal is the text of the bytes before anything else.
func literal(tokens []token) string {
	var text []byte
	for _, t := range tokens {
		b, single := t.set.single()
		if !single {
			break
		}
		text = append(text, b)
	}
	return string(text)
}

// link makes steps of a tree, each after those that it leads to; the first one is where a match begins.
func link(tokens []token) []Step {
	steps := []Step{{}, {Kind: KindEnd}}
	var chain func(tokens []token, next int) int
	chain = func(tokens []token, next int) int {
		for i := len(tokens) - 1; i >= 0; i-- {
			step := Step{Kind: tokens[i].kind, Set: tokens[i].set, Next: []int{next}}
			if step.Kind == KindBranch {
				step.Next = nil
				for _, branch := range tokens[i].branches {
					step.Next = append(step.Next, chain(branch, next))
				}
			}
			next = len(steps)
			steps = append(steps, step)
		}
		return next
	}
	steps[0] = Step{Kind: KindBranch, Next: []int{chain(tokens, 1)}}
	return steps
}

// startsWithSlash says whether some path that matches begins with a slash.
func (g *Glob) startsWithSlash() bool {
	seen := make([]bool, len(g.steps))
	var from func(at int) bool
	from = func(at int) bool {
		step := &g.steps[at]
		if seen[at] {
			return false
		}
		seen[at] = true
		switch step.Kind {
		case KindEnd:
			return false
		case KindByte:
			return step.Set.Has('/')
		case KindAny:
			return true
		}
		for _, next := range step.Next {
			if from(next) {
				return true
			}
		}
		return false
	}
	return from(0)
}
