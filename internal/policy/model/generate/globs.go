// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

const special = `*?[]{},\`

// pattern is a glob that matches the path, or nearly.
func (g *Generator) pattern(path string) string {
	pattern := g.loosen(path)
	if _, err := glob.Parse(pattern); err != nil {
		return escape(clip(path[:min(len(path), pathMax/2)]))
	}
	return pattern
}

// loosen replaces parts of the path by special bytes.
func (g *Generator) loosen(path string) string {
	if len(path) > 300 && !g.oneIn(10) {
		path = clip(path[:20+g.random.IntN(100)])
	}
	var out strings.Builder
	for _, name := range strings.Split(path, "/")[1:] {
		if out.Len() > pathMax/2 {
			break
		}
		out.WriteString("/")
		switch g.random.IntN(7) {
		case 0:
			out.WriteString(pick(g, "*", "**", "*", "?*", "*?", "***"))
		case 1:
			out.WriteString(g.loosened(name))
		case 2:
			out.WriteString("{" + escape(name) + "," + escape(g.name()) + pick(g, "", ",", ",*", "/x", ",{a,b}c") + "}")
		default:
			out.WriteString(escape(name))
		}
	}
	switch g.random.IntN(12) {
	case 0:
		out.WriteString(pick(g, "*", "**", "/**", "/*", "?"))
	case 1:
		return pick(g, "/**", "**") + "/" + escape(base(path))
	}
	return out.String()
}

// loosened replaces one byte, or all from it on, by what matches it.
func (g *Generator) loosened(name string) string {
	at := g.random.IntN(len(name))
	before, c, after := escape(name[:at]), name[at:at+1], escape(name[at+1:])
	switch g.random.IntN(7) {
	case 0:
		return before + "*"
	case 1:
		return before + "*" + after
	case 2:
		return before + "?" + after
	case 3:
		return before + "[" + pick(g, "a-z", "^b", "^a-c", "0-9A-Z", "abc") + "]" + after
	case 4:
		if strings.ContainsAny(c, `]^-\[`) {
			return before + `\` + c + after
		}
		return before + "[" + c + "x]" + after
	case 5:
		return before + "{" + escape(c) + ",zz}" + after
	default:
		return before + `\` + c + after
	}
}

func escape(name string) string {
	var out strings.Builder
	for i := range len(name) {
		if strings.IndexByte(special, name[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(name[i])
	}
	return out.String()
}

// instance is a path that the glob matches, or nearly.
func (g *Generator) instance(pattern string) string { return clip(g.expand(pattern)) }

func (g *Generator) expand(pattern string) string {
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
			if i < len(pattern) {
				out.WriteByte(pattern[i])
			}
		case '?':
			out.WriteString(pick(g, "a", "z", "\xff", "*"))
		case '*':
			deep := strings.HasPrefix(pattern[i:], "**")
			if deep {
				i++
			}
			out.WriteString(g.filling(deep))
		case '[':
			end := i + 1 + max(strings.IndexByte(pattern[i+1:], ']'), 0)
			out.WriteString(pick(g, "a", "b", "z", "0", pattern[i+1:i+2]))
			i = end
		case '{':
			alternatives, end := split(pattern[i:])
			out.WriteString(g.expand(pick(g, alternatives...)))
			i += end
		default:
			out.WriteByte(pattern[i])
		}
	}
	return out.String()
}

// filling is what stands for one star or two.
func (g *Generator) filling(deep bool) string {
	switch {
	case g.oneIn(4):
		return ""
	case deep && g.coin():
		return strings.TrimPrefix(g.path(), "/")
	default:
		return g.name()
	}
}

// split gives the alternatives of the braces that the pattern begins with, and where these end.
func split(pattern string) ([]string, int) {
	var out []string
	depth, from := 0, 1
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '{':
			depth++
		case ',':
			if depth == 1 {
				out, from = append(out, pattern[from:i]), i+1
			}
		case '}':
			depth--
			if depth == 0 {
				return append(out, pattern[from:i]), i
			}
		}
	}
	return []string{pattern[1:]}, len(pattern)
}
