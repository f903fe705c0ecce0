// SPDX-License-Identifier: Apache-2.0

package table

import "github.com/kubearmor/kubearmor-operator/internal/policy/compile"

// KindPreset: one word, the preset's code. Presets have no domain.
const KindPreset Kind = 12

// presetCode of a policy's word; the values are shared with bpf/include/core. A profile's flags of domain 0 have the bit of
// that number.
func presetCode(word string) (uint8, bool) {
	for i, w := range [...]string{"filelessExec", "anonymousMapExec", "protectEnv", "protectProc", "exec"} {
		if w == word {
			return uint8(i + 1), true
		}
	}
	return 0, false
}

// checkPreset checks the only kind of rule without a domain.
func checkPreset(rule *compile.Rule) string {
	_, known := presetCode(rule.Path)
	switch {
	case rule.Match != compile.MatchPreset:
		return "the core has no domain 0"
	case !known:
		return "the core has no such preset"
	case rule.Action == compile.ActionAllow:
		return "a preset allows nothing"
	case rule.Source != "" || rule.Conditions != 0:
		return "a preset has neither sources nor conditions"
	}
	return ""
}
