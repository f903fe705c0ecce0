// SPDX-License-Identifier: Apache-2.0

package generate

import "strings"

// Bounds of the DNS, in bytes: of a label, and of a name as it is written, without its closing dot.
const (
	labelMax  = 63
	domainMax = 253
)

// label is one of few, so that rules and queries meet; some are as long as a label may be, around the words of a hash, or
// not of letters and digits: the DNS takes any byte.
func (g *Generator) label() string {
	switch g.random.IntN(8) {
	case 0:
		return pick(g, long("l", labelMax), long("l", labelMax-1), "abcdefg", "abcdefgh", "abcdefghi", long("m", 55), long("m", 56))
	case 1:
		return pick(g, "_dmarc", "xn--bcher-kva", "É", "é", "\u212a", "k", "\xff", "@", "`", "[", "{")
	default:
		return pick(g, "a", "b", "www", "example", "com", "notexample")
	}
}

// domain is a name of a few labels, rarely one that is as long or as deep as names may be.
func (g *Generator) domain() string {
	switch g.random.IntN(25) {
	case 0:
		return g.clipDomain(strings.Repeat(pick(g, "a.", "b.", "ab.", long("l", labelMax)+"."), 130) + g.label())
	case 1:
		// Exactly the longest one.
		return strings.Repeat(long("l", labelMax)+".", 3) + long("x", domainMax-3*(labelMax+1))
	}
	name := g.label()
	for range g.random.IntN(4) {
		name += "." + g.label()
	}
	return g.clipDomain(name)
}

// clipDomain takes labels off the begin of a name that is too long, and makes any bytes a name.
func (g *Generator) clipDomain(name string) string {
	var labels []string
	for label := range strings.SplitSeq(name, ".") {
		if label != "" {
			labels = append(labels, label[:min(len(label), labelMax)])
		}
	}
	for len(labels) > 1 && len(strings.Join(labels, ".")) > domainMax {
		labels = labels[1:]
	}
	if len(labels) == 0 {
		return "a"
	}
	return strings.Join(labels, ".")
}

// dnsRule is a name as a policy has it, often made of one that another rule has.
func (g *Generator) dnsRule() string {
	name := g.domain()
	if len(g.domains) > 0 && !g.oneIn(4) {
		name = g.nearDomain(pick(g, g.domains...))
	}
	if len(g.domains) < 20 {
		g.domains = append(g.domains, name)
	}
	// Such a wildcard means nothing below a name that is as long as names may be.
	if g.coin() && len(name)+len("*.") <= domainMax {
		return "*." + name
	}
	return name
}

// nearDomain is the name, one above or below it, one beside it, or one that only ends or begins alike.
func (g *Generator) nearDomain(name string) string {
	first, rest, deep := strings.Cut(name, ".")
	switch g.random.IntN(8) {
	case 0:
		if deep {
			name = rest
		}
	case 1:
		name = g.label() + "." + name
	case 2:
		name = pick(g, "not", "x", "a", "-") + name
	case 3:
		name += pick(g, ".com", "x", ".a")
	case 4:
		if deep {
			name = g.label() + "." + rest
		}
	case 5:
		if deep {
			// The dot is a byte of the label, or none at all.
			name = first + pick(g, "-", "") + rest
		}
	}
	return g.clipDomain(name)
}

// dnsName is one that the rule means, or nearly, in odd cases, with and without its closing dot.
func (g *Generator) dnsName(rule string) string {
	name := rule
	if below, found := strings.CutPrefix(rule, "*."); found {
		name = below
		for range pick(g, 0, 1, 1, 1, 2, 3, 20) {
			name = g.label() + "." + name
		}
		if g.oneIn(8) {
			name = pick(g, "not", "x", "*") + below
		}
	}
	if g.oneIn(4) {
		name = g.nearDomain(name)
	}
	name = g.clipDomain(name)
	return pick(g, name, name, g.odd(name)) + pick(g, "", "", ".")
}

// odd is the name with some of its letters in upper case.
func (g *Generator) odd(name string) string {
	bytes := []byte(name)
	for i, b := range bytes {
		if b >= 'a' && b <= 'z' && !g.oneIn(3) {
			bytes[i] = b - 'a' + 'A'
		}
	}
	return string(bytes)
}
