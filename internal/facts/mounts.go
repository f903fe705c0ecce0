// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"io/fs"
	"strings"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// mountTable maps a mount point to the type of what is mounted there last.
type mountTable struct {
	types map[string]string
	err   error
}

// readMounts reads this process's own table: the host's folders are in it, with what is mounted below them, and
// another process's table would need more privilege.
func readMounts(proc fs.FS) mountTable {
	a := read(proc, "self/mounts")
	if a.err != nil {
		return mountTable{err: a.err}
	}
	return mountTable{types: parseMounts(a.text)}
}

func parseMounts(text string) map[string]string {
	types := map[string]string{}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 3 {
			types[unescape.Replace(f[1])] = f[2]
		}
	}
	return types
}

// at is the type of what is mounted at a path itself, empty when nothing is.
func (m mountTable) at(path string) string { return m.types[path] }

// parseCgroup: the unified hierarchy mounts cgroup2 at the top; a tmpfs there holds the hierarchies of version 1,
// alone or beside a version 2 without controllers.
func parseCgroup(mountType string) int32 {
	switch mountType {
	case "cgroup2":
		return 2
	case "tmpfs", "cgroup":
		return 1
	}
	return 0
}

func parseMount(m mountTable, path, want, reason string) v1.Fact {
	if m.err != nil {
		return unknown(v1.ReasonUnreadable, m.err.Error())
	}
	switch got := m.at(path); got {
	case want:
		return yes()
	case "":
		return no(reason, fmt.Sprintf("nothing is mounted at %s", path))
	default:
		return no(reason, fmt.Sprintf("%s is mounted at %s, not %s", got, path, want))
	}
}
