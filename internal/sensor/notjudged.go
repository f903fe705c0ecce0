// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"slices"
	"strings"
)

// NotJudged are the operations on files that the kernel has no hook for, in the words of users, sorted: rules do not hold
// for them. Nobody misses file_truncate: kernels without it ask path_truncate about open files too.
func (s Stats) NotJudged() []string {
	words := map[string]string{
		"mknod": "create", "mkdir": "mkdir", "symlink": "symlink", "unlink": "delete", "rmdir": "rmdir", "link": "link",
		"rename": "rename", "chmod": "chmod", "chown": "chown", "truncate": "truncate",
	}
	var operations []string
	for _, hook := range s.Missing {
		if _, name, ofPaths := strings.Cut(hook, "path_"); ofPaths && words[name] != "" {
			operations = append(operations, words[name])
		}
	}
	slices.Sort(operations)
	return slices.Compact(operations)
}
