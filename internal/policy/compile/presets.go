// SPDX-License-Identifier: Apache-2.0

package compile

import "github.com/kubearmor/kubearmor-operator/internal/policy"

// MatchPreset: the rule's Path is the name of a preset. Such a rule has no domain, no sources and no conditions.
const MatchPreset Match = 10

// isIdle says of a rule that it does nothing anywhere: a preset protects, and makes no allow-list.
func isIdle(r *policy.Rule) bool { return r.Preset != "" && r.Action == ActionAllow }
