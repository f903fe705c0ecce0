// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"context"
	"errors"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
)

// Debian returns.
func Debian(ctx context.Context, c *cache.Cache, k kernel.Kernel) (string, error) {
	return "", errors.ErrUnsupported
}
