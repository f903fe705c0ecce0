// SPDX-License-Identifier: Apache-2.0

package model

import "github.com/kubearmor/kubearmor-operator/internal/policy"

// rankOfCapability compares the names: lower case, without CAP_.
func rankOfCapability(r *policy.Rule, capability string) (rank, bool) {
	return rank{level: choose(r, levelCapability, levelCapabilityFromSource)}, r.Capability == capability
}
