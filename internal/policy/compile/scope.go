// SPDX-License-Identifier: Apache-2.0

package compile

import "strings"

// The specificity of a rule; the higher one decides. Among directories the deeper one does.
const (
	rankDirectory = iota + 1
	rankPattern
	rankExecName
	rankPath
	rankDirectoryFromSource
	rankPathFromSource
)

// scope is what a rule matches: a path, a directory (path ends in "/"), or, for what the core cannot hold, everything
// that starts with the path (a glob's literal start) or that has a base name.
type scope struct {
	rank      int
	path      string
	recursive bool
	prefix    bool
	base      string
}

func (s scope) directory() bool { return !s.prefix && strings.HasSuffix(s.path, "/") }

func (s scope) match() Match {
	switch {
	case !s.directory():
		return MatchPath
	case s.recursive:
		return MatchRecursive
	default:
		return MatchDirectory
	}
}

// covers says whether an operation on the exact path is in s.
func (s scope) covers(path string) bool {
	switch {
	case s.base != "":
		return path[strings.LastIndexByte(path, '/')+1:] == s.base
	case s.prefix:
		return strings.HasPrefix(path, s.path)
	case !s.directory():
		return path == s.path
	case !strings.HasPrefix(path, s.path) || path == s.path:
		return false
	default:
		return s.recursive || !strings.Contains(path[len(s.path):], "/")
	}
}

// intersects says whether some operation may be in both. It errs on the side of yes.
func (s scope) intersects(other scope) bool {
	switch {
	case s.base == "" && !s.prefix && !s.directory():
		return other.covers(s.path)
	case other.base == "" && !other.prefix && !other.directory():
		return s.covers(other.path)
	case s.base != "" || other.base != "":
		return true
	case s.path == other.path:
		return true
	case strings.HasPrefix(s.path, other.path):
		return other.recursive || other.prefix || s.prefix
	case strings.HasPrefix(other.path, s.path):
		return s.recursive || s.prefix || other.prefix
	default:
		return false
	}
}

// beats says whether a rule with scope s decides over one with other where both match.
func (s scope) beats(other scope) bool {
	if s.rank != other.rank {
		return s.rank > other.rank
	}
	return s.rank == rankDirectory && len(s.path) > len(other.path)
}

// literal is the part of a glob before its first special byte.
func literal(glob string) string {
	if i := strings.IndexAny(glob, `*?[{\`); i >= 0 {
		return glob[:i]
	}
	return glob
}
