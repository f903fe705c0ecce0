// SPDX-License-Identifier: Apache-2.0

package enforcer

import "testing"

func TestWithoutTheirProgramsPresetsAreNotHeld(t *testing.T) {
	for hook, want := range map[string]bool{
		"":                                    true,
		"lsm/path_chown":                      true,
		"lsm/mmap_file":                       false,
		"kprobe/security_ptrace_access_check": false,
	} {
		if a := AbilitiesOf(Stats{Missing: []string{hook}}); a.Presets != want {
			t.Errorf("without %q: presets %v, want %v", hook, a.Presets, want)
		}
	}
}
