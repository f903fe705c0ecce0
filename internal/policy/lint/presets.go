// SPDX-License-Identifier: Apache-2.0

package lint

import "github.com/kubearmor/kubearmor-operator/internal/policy"

// idlePresets finds the presets that do nothing.
func idlePresets(rules []policy.Rule) []Warning {
	var found []Warning
	for i := range rules {
		if rules[i].Preset != "" && rules[i].Action == policy.ActionAllow {
			found = append(found, Warning{rules[i].At, "does nothing: a preset allows nothing, and takes nothing out of another policy's; " +
				"give it the action Block or Audit, or remove it"})
		}
	}
	return found
}
