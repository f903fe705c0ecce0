// SPDX-License-Identifier: Apache-2.0

package sensor

import "context"

// Canary loads and attaches the real core, unpinned and with a policy for this process's own cgroup only, and does the
// operations that it must see: first an allowed one, then an open and an exec that must be denied (enforce) or reported
// (observe). Its files are made below dir. Nil means that it was seen; otherwise the error is a *CanaryError.
func Canary(ctx context.Context, mode Mode, dir string) error { return errNotBuilt }
