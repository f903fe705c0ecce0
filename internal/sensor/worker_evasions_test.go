// SPDX-License-Identifier: Apache-2.0

package sensor

import "golang.org/x/sys/unix"

// evasionWorkers are attacks that once got through, and what is like them.
func evasionWorkers() map[string]func(args []string) error {
	return map[string]func([]string) error{
		// Needs CAP_SYS_ADMIN.
		"trusted": func(a []string) error { return unix.Setxattr(a[0], "trusted.worker", []byte("x"), 0) },
	}
}
