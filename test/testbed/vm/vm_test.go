// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

func TestShellLineGivesTheShellTheSameArguments(t *testing.T) {
	for _, args := range [][]string{
		{"echo", "a b", "c"},
		{"it's", `"double"`, "$HOME", "`id`", "*", ""},
		{"line\nbreak", `back\slash`, "'", "''"},
	} {
		line := ShellLine(append([]string{"printf", `%s\0`}, args...))
		got, err := exec.Command("sh", "-c", line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if diff := cmp.Diff(args, strings.Split(strings.TrimSuffix(string(got), "\x00"), "\x00")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	if line := ShellLine([]string{"a | b > c"}); line != "a | b > c" {
		t.Errorf("a single argument is a line of shell and became %q", line)
	}
}

func TestCmdline(t *testing.T) {
	for _, test := range []struct {
		name    string
		machine Machine
		want    string
	}{
		{
			"without an LSM list the kernel chooses",
			Machine{Kernel: kernel.Kernel{Arch: "amd64"}},
			"console=ttyS0 no_timer_check quiet panic=-1",
		},
		{
			"arm64 has another console, more words come last",
			Machine{Name: "n", Kernel: kernel.Kernel{Arch: "arm64"}, LSM: "yama,bpf", Append: []string{"init=/x"}},
			"console=ttyAMA0 quiet panic=-1 lsm=yama,bpf testbed.hostname=n init=/x",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.machine.cmdline()); diff != "" {
				t.Errorf("command line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDisksAreMountedInTheirOrder(t *testing.T) {
	machine := Machine{Disks: []string{"root"}, Append: []string{"root=/dev/vda"}}
	machine.mount("modules", "/lib/modules/6.1")
	machine.mount("binaries", "/usr/local/bin")
	want := []string{"root=/dev/vda", "testbed.mount=/dev/vdb:/lib/modules/6.1", "testbed.mount=/dev/vdc:/usr/local/bin"}
	if diff := cmp.Diff(want, machine.Append); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"root", "modules", "binaries"}, machine.Disks); diff != "" {
		t.Errorf("disks (-want +got):\n%s", diff)
	}
}

func TestCheckLSM(t *testing.T) {
	for list, good := range map[string]bool{
		"":                         true,
		"bpf":                      true,
		"landlock,yama,selinux":    true,
		"bfp":                      false,
		"yama, bpf":                false,
		"yama,":                    false,
		"bpf init=/bin/sh":         false,
		"lockdown,capability,yama": true,
	} {
		if err := checkLSM(list); (err == nil) != good {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestStatusIsReadInAnyPieces(t *testing.T) {
	for size := 1; size < 20; size++ {
		s := newStatus()
		for piece := range strings.SplitSeq(pieces("start\nexit 17\n", size), "|") {
			if _, err := s.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		if code, ok := s.code(); !ok || code != 17 || !s.booted() {
			t.Errorf("pieces of %d bytes: exit %d, ended %v, booted %v", size, code, ok, s.booted())
		}
	}
	s := newStatus()
	if _, err := s.Write([]byte("start\nexit 1")); err != nil {
		t.Fatal(err)
	}
	if code, ok := s.code(); ok {
		t.Errorf("half a line was taken for exit status %d", code)
	}
}

func pieces(text string, size int) string {
	var out []string
	for len(text) > size {
		out, text = append(out, text[:size]), text[size:]
	}
	return strings.Join(append(out, text), "|")
}

func TestTailKeepsTheLastLines(t *testing.T) {
	console := newTail(nil)
	for range 3000 {
		if _, err := console.Write([]byte("old line\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := console.Write([]byte("[ 1.0] Kernel panic - not syncing: VFS\r\nCPU: 0\r\n")); err != nil {
		t.Fatal(err)
	}
	got := console.String()
	if !strings.HasSuffix(got, "old line\n[ 1.0] Kernel panic - not syncing: VFS\nCPU: 0") || strings.Count(got, "\n") != 19 || len(console.last) > 2*tailSize {
		t.Errorf("kept %d bytes, shows %q", len(console.last), got)
	}
	if cause := console.panicked(); cause != "not syncing: VFS" {
		t.Errorf("cause of the panic: %q", cause)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	store, err := cache.Open(t.TempDir(), progress.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		command Command
		want    string
	}{
		{Command{Line: " "}, "no command"},
		{Command{Line: "true", KernelVersion: "6.6", Arch: "amd64"}, `unknown kernel "6.6"`},
		{Command{Line: "true", LSM: "bfp"}, `unknown LSM "bfp"`},
		{Command{Line: "true", KernelVersion: "6.1", Arch: "s390x"}, `unknown architecture "s390x"`},
	} {
		test.command.Cache = store
		if _, err := test.command.Run(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("want %q, got %v", test.want, err)
		}
	}
}
