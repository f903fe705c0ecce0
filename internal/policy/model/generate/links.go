// SPDX-License-Identifier: Apache-2.0

package generate

import "strings"

// Links are the symlinks of a root, by their whole path: what they lead to is absolute.
type Links map[string]string

// mostLinks that are followed on the way of one path, as in the kernel.
const mostLinks = 40

// Resolve follows the links on the way of a path, and at its end. It implements model.Resolver.
func (l Links) Resolve(path string) string {
	if len(l) == 0 || path == "/" {
		return path
	}
	resolved, rest := "", path
	for range mostLinks + strings.Count(path, "/") {
		if rest == "" {
			break
		}
		name, after := rest[1:], ""
		if i := strings.IndexByte(name, '/'); i >= 0 {
			name, after = name[:i], name[i:]
		}
		resolved += "/" + name
		rest = after
		if target, found := l[resolved]; found {
			resolved, rest = "", target+after
		}
	}
	// So that every name fits below it.
	if rest != "" || len(resolved) > pathMax-nameMax-1 {
		return path
	}
	return resolved
}

// links are few, on the way of paths that rules may name. Some lead to a program of many names.
func (g *Generator) links() Links {
	l := Links{}
	for range 1 + g.random.IntN(3) {
		from := g.ancestor(pick(g, append(g.paths, g.sources...)...))
		to := g.ancestor(g.near())
		if g.oneIn(3) {
			from = pick(g, g.paths...)
			to = pick(g, "/bin/busybox", "/a/toybox", "/usr/bin/coreutils")
			g.paths = append(g.paths, to)
		}
		if !strings.HasPrefix(to+"/", from+"/") {
			l[from] = to
		}
	}
	return l
}

// ancestor is the path itself, or a directory that it is in.
func (g *Generator) ancestor(path string) string {
	for range g.random.IntN(4) {
		if i := strings.LastIndexByte(path, '/'); i > 0 {
			path = path[:i]
		}
	}
	return path
}
