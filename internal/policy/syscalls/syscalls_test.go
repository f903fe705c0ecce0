// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCallsHaveOneCodeHoweverTheyAreMade(t *testing.T) {
	tests := map[string]struct {
		arch, name  string
		how, number int
		code        uint16
	}{
		"a native call":                             {"amd64", "ptrace", Native, 101, 101},
		"the same by x32":                           {"amd64", "ptrace", Native, 521, 101},
		"the same by an i386 program":               {"amd64", "ptrace", Compat, 26, 101},
		"a number that means another call there":    {"amd64", "unlink", Compat, 10, 87},
		"a call that only i386 programs have":       {"amd64", "stat64", Compat, 195, Numbers + 195},
		"an arm64 call":                             {"arm64", "ptrace", Native, 117, 117},
		"the same by an arm program":                {"arm64", "ptrace", Compat, 26, 117},
		"one that arm64 has under another name too": {"arm64", "newfstatat", Native, 79, 79},
		"one that only arm programs have":           {"arm64", "open", Compat, 5, Numbers + 5},
		"the first one":                             {"amd64", "read", Native, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := Of(test.arch)
			if code, known := m.Code(test.name); !known || code != test.code {
				t.Errorf("code %d, %t; want %d", code, known, test.code)
			}
			if got := m.Codes()[test.how][test.number]; got != test.code+1 {
				t.Errorf("by number: %d, want %d", got, test.code+1)
			}
			if got := m.Name(test.how, uint32(test.number)); got != test.name {
				t.Errorf("number %d is %s", test.number, got)
			}
		})
	}
}

func TestTheTableIsThatOfThisMachine(t *testing.T) {
	for name, number := range map[string]uint16{"openat": unix.SYS_OPENAT, "execveat": unix.SYS_EXECVEAT, "bpf": unix.SYS_BPF} {
		if code, _ := Of(runtime.GOARCH).Code(name); code != number {
			t.Errorf("%s is %d, want %d", name, code, number)
		}
	}
}

func TestEveryCallOfATableHasANumberBelowTheBound(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, table := range Of(arch).tables {
			if lines := strings.Count(table, "\n") - 1; lines < 300 {
				t.Errorf("%s: %d calls only", arch, lines)
			}
		}
		for how, codes := range Of(arch).Codes() {
			if codes[1] == 0 || codes[Numbers-1] != 0 {
				t.Errorf("%s %d: the table is not what it should be", arch, how)
			}
		}
	}
}

func TestWhatIsNoCall(t *testing.T) {
	for _, name := range []string{"", "unlnk", "read 0", "READ", "arch_specific_syscall"} {
		if Known(name) {
			t.Errorf("%q is known", name)
		}
	}
	if got := Of("amd64").Name(Native, 1000); got != "syscall_1000" {
		t.Errorf("an unknown number is %s", got)
	}
}
