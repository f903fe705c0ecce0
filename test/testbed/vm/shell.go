// SPDX-License-Identifier: Apache-2.0

package vm

import "strings"

// ShellLine makes a shell command line of arguments: one argument is a line already, several are quoted so that the shell sees
// the same arguments again.
func ShellLine(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	quoted := make([]string, 0, len(args))
	for _, arg := range args {
		quoted = append(quoted, "'"+strings.ReplaceAll(arg, "'", `'\''`)+"'")
	}
	return strings.Join(quoted, " ")
}
