// SPDX-License-Identifier: Apache-2.0

package generate

import "strings"

// Bounds of the kernel on paths, in bytes.
const (
	pathMax = 4095
	nameMax = 255
)

func long(s string, n int) string { return strings.Repeat(s, n) }

// name is one component: short ones that collide, lengths around the words of a hash and NAME_MAX, and odd bytes.
func (g *Generator) name() string {
	switch g.random.IntN(12) {
	case 0:
		return pick(g, "abcdefg", "abcdefgh", "abcdefghi", "0123456789abcde", "0123456789abcdef", "abcdefg\x01")
	case 1:
		return pick(g, "ü", "日本語", "\xff\xfe\x80", "a b", "...", "..a", ".a", "\x01", "\n", "x (deleted)", " ", "\x7f")
	case 2:
		return pick(g, "*", "?", "[a]", "{a,b}", `\`, `a\b`, "a*", "]", "}", ",", "^", "-")
	case 3:
		if g.oneIn(3) {
			return pick(g, long("n", nameMax), long("n", nameMax-1), long("m", 248), long("m", 247), long("ü", 127))
		}
		return "lib"
	case 4:
		return string(rune('a' + g.random.IntN(26)))
	default:
		return pick(g, "a", "b", "ab", "abc", "etc", "usr", "bin", "sh")
	}
}

// path is a fresh one: mostly of a few components, sometimes as deep or as long as paths may be.
func (g *Generator) path() string {
	depth := 1 + g.random.IntN(6)
	switch g.random.IntN(40) {
	case 0:
		depth = 60 + g.random.IntN(10)
	case 1:
		depth = 128 + g.random.IntN(20)
	case 2:
		depth = 2048
	case 3:
		return clip(long("/"+pick(g, long("n", nameMax), long("l", 99), "ab", "日本語"), 1+g.random.IntN(2048)))
	}
	var path strings.Builder
	for range depth {
		path.WriteString("/" + g.name())
	}
	return clip(path.String())
}

// near is a path like those that are there: the same, a prefix, below it, beside it, or one byte off.
func (g *Generator) near() string {
	path := pick(g, g.paths...)
	if g.coin() {
		path = g.mutate(path)
	}
	if g.oneIn(8) {
		path = g.path()
	}
	if len(g.paths) < 60 {
		g.paths = append(g.paths, path)
	}
	return path
}

// mutate changes a path in one way. The result may be any path but the root.
func (g *Generator) mutate(path string) string {
	last := strings.LastIndexByte(path, '/')
	switch g.random.IntN(9) {
	case 0:
		path = path[:last]
	case 1:
		path += "/" + g.name()
	case 2:
		path = path[:last] + "/" + g.name()
	case 3:
		path += pick(g, "x", "a", "\xff", " ")
	case 4:
		path = path[:max(len(path)-1, 1)]
	case 5:
		at := g.random.IntN(len(path))
		path = path[:at] + pick(g, "a", "b", "X", "\x80", "/") + path[at+1:]
	case 6:
		at := g.random.IntN(len(path))
		path = path[:at] + "/" + g.name() + path[at:]
	case 7:
		path = "/" + g.name() + path
	case 8:
		path += g.path()
	}
	return clip(path)
}

// directory is the path as one, or one that the path is in.
func (g *Generator) directory(path string) string {
	if g.oneIn(30) {
		return "/"
	}
	for range g.random.IntN(3) {
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	return clip(path[:min(len(path), pathMax-1)]) + "/"
}

// clip makes any bytes a path that a file may have: it drops and cuts what no path has.
func clip(path string) string {
	var out strings.Builder
	for name := range strings.SplitSeq(strings.ReplaceAll(path, "\x00", "0"), "/") {
		if name == "" || name == "." || name == ".." {
			continue
		}
		name = name[:min(len(name), nameMax)]
		if out.Len()+1+len(name) > pathMax {
			break
		}
		out.WriteString("/" + name)
	}
	if out.Len() == 0 {
		return "/a"
	}
	return out.String()
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
