// SPDX-License-Identifier: Apache-2.0

package model

import "testing"

func TestPresetsInDepth(t *testing.T) {
	fileless := []string{"preset Block preset filelessExec"}
	anonymous := []string{"preset Block preset anonymousMapExec"}
	proc := []string{"preset Block preset protectProc"}
	hold(t, map[string]sentence{
		"filelessExec: a program whose file is deleted":     {fileless, "exec /a unlinked", "Block p 0"},
		"filelessExec: mapping such a file":                 {fileless, "map /a unlinked", "Block p 0"},
		"filelessExec: mapping memory with a descriptor":    {fileless, "map object", "Block p 0"},
		"filelessExec: mapping a library":                   {fileless, "map /lib/a.so", "Allow"},
		"filelessExec: reading what is in memory":           {fileless, "read object", "Allow"},
		"anonymousMapExec: memory with a descriptor":        {anonymous, "map object", "Block p 0"},
		"anonymousMapExec: a file without a name is memory": {anonymous, "map /a unlinked", "Block p 0"},
		"anonymousMapExec: mapping a library":               {anonymous, "map /lib/a.so", "Allow"},
		"anonymousMapExec: what is executed is mapped":      {anonymous, "exec object", "Block p 0"},
		"anonymousMapExec: a program in a file":             {anonymous, "exec /a", "Allow"},
		"anonymousMapExec: writing over one's own code":     {anonymous, "write /proc/8/mem pid 8", "Block p 0"},
		"anonymousMapExec: by the name of a thread":         {anonymous, "write /proc/8/task/9/mem pid 8", "Block p 0"},
		"anonymousMapExec: reading one's own code":          {anonymous, "read /proc/8/mem pid 8", "Allow"},
		"protectProc: the directory of another":             {proc, "read /proc/7 pid 8", "Block p 0"},
		"protectProc: the list of all":                      {proc, "read /proc pid 8", "Allow"},
		"protectProc: its own":                              {proc, "write /proc/8/mem pid 8", "Allow"},
		"protectProc: writing into another":                 {proc, "write /proc/7/mem pid 8", "Block p 0"},
		"protectProc: tracing another":                      {proc, "ptrace", "Block p 0"},
		"protectEnv does not keep from tracing":             {[]string{"preset Block preset protectEnv"}, "ptrace", "Allow"},
		"an Allow takes nothing out of a Block":             {[]string{"a: preset Allow preset exec severity 9", "b: preset Audit preset exec"}, "exec /a entered", "Audit b 0"},
		"of two equal ones the more severe is named":        {[]string{"a: preset Block preset exec", "b: preset Block preset exec severity 9"}, "exec /a entered", "Block b 0"},
		"of two presets the stronger holds": {
			[]string{"preset Audit preset protectProc", "preset Block preset protectEnv"}, "read /proc/7/environ pid 8", "Block p 1",
		},
	}, nil)
}
