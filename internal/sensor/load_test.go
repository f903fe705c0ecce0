// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"maps"
	"slices"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
)

// pointsOf are the hooks of the core, sorted, but for those that only one mode has. One of them has another name as a function.
func pointsOf(prefix, check, commit string) []string {
	names := []string{
		check, check, check, commit, "capable", "file_mprotect", "file_open", "file_open", "file_truncate", "mmap_file",
		"path_chmod", "path_chown", "path_link", "path_mkdir", "path_mknod", "path_rename", "path_rmdir", "path_symlink",
		"path_truncate", "path_unlink", "ptrace_access_check", "ptrace_traceme",
		"socket_accept", "socket_bind", "socket_connect", "socket_create", "socket_listen", "socket_sendmsg", "task_free",
	}
	for i := range names {
		names[i] = prefix + names[i]
	}
	return append([]string{HookLookup, HookCall}, names...)
}

func TestEveryObjectHasTheSameMapsAndItsOwnHooks(t *testing.T) {
	for mode, want := range map[Mode][]string{
		ModeEnforce: append(pointsOf("lsm/", "bprm_check_security", "bprm_committing_creds"),
			"fentry/chown_common", "fexit/chown_common", "lsm/inode_setattr"),
		ModeObserve: pointsOf("kprobe/security_", "bprm_check", "bprm_committing_creds"),
	} {
		s, err := loadSpecs(mode)
		if err != nil {
			t.Fatal(err)
		}
		var hooks []string
		shapes := map[string]string{}
		for _, object := range s.objects {
			for _, program := range object.Programs {
				hooks = append(hooks, program.SectionName)
			}
			for _, name := range slices.Sorted(maps.Keys(object.Maps)) {
				// Each has constants of its own.
				if name[0] == '.' {
					continue
				}
				m := object.Maps[name]
				shape := cmp.Diff(nil, []any{m.Type, m.KeySize, m.ValueSize, m.MaxEntries, m.Flags})
				if other, ok := shapes[name]; ok && other != shape {
					t.Errorf("%s: map %s differs between objects:\n%s\n%s", mode, name, other, shape)
				}
				shapes[name] = shape
			}
		}
		slices.Sort(hooks)
		slices.Sort(want)
		if diff := cmp.Diff(want, hooks); diff != "" {
			t.Errorf("%s: hooks (-want +got):\n%s", mode, diff)
		}
	}
	if _, err := loadSpecs("watch"); err == nil {
		t.Error("an unknown mode was accepted")
	}
}

// Kernels before 5.12 refuse a program that has such an instruction anywhere, and the compiler makes one when the old value
// of an atomic addition is used.
func TestNoInstructionIsNewerThanKernel510(t *testing.T) {
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		s, err := loadSpecs(mode)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range s.objects {
			for name, program := range object.Programs {
				for i, ins := range program.Instructions {
					if ins.OpCode.Class() == asm.StXClass && ins.OpCode.Mode() == asm.AtomicMode && ins.OpCode.AtomicOp() != asm.AddAtomic {
						t.Errorf("%s: instruction %d: %v", name, i, ins)
					}
				}
			}
		}
	}
}

func TestTheShapeOfTablesNamesThem(t *testing.T) {
	s, err := loadSpecs(ModeEnforce)
	if err != nil {
		t.Fatal(err)
	}
	before := shape(s)
	if again := shape(s); again != before {
		t.Errorf("the same tables are called %s and %s", before, again)
	}
	s.maps[tableRules].MaxEntries++
	if shape(s) == before {
		t.Error("tables of another size have the same name")
	}
	s.maps[tableRules].MaxEntries--
	s.maps[tableBindings].InnerMap.ValueSize++
	if shape(s) == before {
		t.Error("tables with other bindings have the same name")
	}
}
