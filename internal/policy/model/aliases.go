// SPDX-License-Identifier: Apache-2.0

package model

import "strings"

// Resolver follows the symlinks of a workload's own root.
type Resolver interface {
	// Resolve gives the path of the object behind an absolute path, as seen in the root, whether or not there is
	// anything at its end. A path that no symlink is on the way of is its own object.
	Resolve(path string) string
}

// object is the path of what an operation is on: the kernel decides on objects. Those that make, move or delete a name
// are on the name itself, also where that is a symlink.
func object(kind Kind, path string, root Resolver) string {
	path = fold(path)
	if root == nil || path == "" {
		return path
	}
	switch kind {
	case Create, Delete, Rename, Link:
		return join(root.Resolve(parent(path)), base(path))
	default:
		return root.Resolve(path)
	}
}

// namesOfFile are the paths that a policy's path means: itself, and the object behind it. Not so where that is a program
// of many names, which it knows by the name that it is called by: the rule would hit all of them.
func (w Workload) namesOfFile(path string) []string {
	if w.Root == nil {
		return []string{path}
	}
	behind := w.Root.Resolve(path)
	if behind == path || isMultiCall(behind) && base(behind) != base(path) {
		return []string{path}
	}
	return []string{path, behind}
}

// namesOfDirectory are the directories that a policy's directory means: itself, and the one behind it.
func (w Workload) namesOfDirectory(directory string) []string {
	if w.Root == nil || directory == "/" {
		return []string{directory}
	}
	behind := w.Root.Resolve(strings.TrimSuffix(directory, "/"))
	if !strings.HasSuffix(behind, "/") {
		behind += "/"
	}
	if behind == directory {
		return []string{directory}
	}
	return []string{directory, behind}
}

// namesOfPattern are the globs that a policy's glob means: itself, and the one below the directory behind those of its
// leading directories that have no special byte.
func (w Workload) namesOfPattern(pattern string) []string {
	literal := pattern
	if i := strings.IndexAny(pattern, `*?[{\`); i >= 0 {
		literal = pattern[:i]
	}
	directory := literal[:strings.LastIndexByte(literal, '/')+1]
	if w.Root == nil || len(directory) < 2 {
		return []string{pattern}
	}
	behind := w.namesOfDirectory(directory)
	if len(behind) == 1 {
		return []string{pattern}
	}
	return []string{pattern, quoted(behind[1]) + pattern[len(directory):]}
}

// quoted is a glob that matches exactly these bytes.
func quoted(path string) string {
	var out strings.Builder
	for i := range len(path) {
		if strings.IndexByte(`*?[]{},\`, path[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(path[i])
	}
	return out.String()
}

// isMultiCall says whether a program does what the name says that it is called by.
func isMultiCall(path string) bool {
	switch base(path) {
	case "busybox", "toybox", "coreutils":
		return true
	default:
		return false
	}
}

// parent is the directory that a path is in, without a slash at its end but for the root.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

func join(directory, name string) string { return strings.TrimSuffix(directory, "/") + "/" + name }
