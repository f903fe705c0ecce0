// SPDX-License-Identifier: Apache-2.0

// Package boot tries out the machines that the other tests run in.
package boot

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

type ending struct {
	code           int
	stdout, stderr string
}

// boot runs a command in a real machine, with the downloads that the project's other commands share.
func boot(t *testing.T, c vm.Command) (ending, error) {
	t.Helper()
	if err := host.Require("qemu-system-x86_64", "apt-get", "depmod"); err != nil {
		t.Fatal("no machine can boot: ", err)
	}
	store, err := cache.Open("../../../.cache/testbed", progress.New(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	c.Cache, c.Stdout, c.Stderr, c.Console = store, &stdout, &stderr, os.Stderr
	if c.KernelVersion == "" {
		c.KernelVersion, c.Arch = "6.12", "amd64"
	}
	code, err := c.Run(t.Context())
	return ending{code, stdout.String(), stderr.String()}, err
}

func TestACommandsOutputAndStatusComeOutWhole(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "deep/er"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "deep/er/script"), []byte("#!/bin/sh\necho from the script >&2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("er/script", filepath.Join(folder, "deep/link")); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "deep/er/script")
	line := folder + `/deep/link; script; printf 'a\000\r\n\377'; cat /sys/kernel/security/lsm; (sleep 1000) & exit 7`
	got, err := boot(t, vm.Command{Line: line, Files: []string{folder}, Binaries: []string{program}, LSM: "landlock,yama,bpf"})
	if err != nil {
		t.Fatal(err)
	}
	// The kernel adds the LSMs that cannot be switched off.
	head, list, _ := strings.Cut(got.stdout, "\xff")
	if got.code != 7 || head != "a\x00\r\n" || !strings.Contains(list, "landlock,yama,bpf") || got.stderr != strings.Repeat("from the script\n", 2) {
		t.Errorf("got %+v", got)
	}
}

func TestADebianMachineHasItsToolsAndModules(t *testing.T) {
	if err := host.Require("mmdebstrap", "mke2fs"); err != nil {
		t.Fatal("no userland can be made: ", err)
	}
	if os.Geteuid() != 0 {
		t.Fatal("no userland can be made: run as root")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	line := `. /etc/os-release && echo $ID && modprobe overlay && grep -o overlay /proc/filesystems && ls /usr/local/bin/file && cat ` + file
	got, err := boot(t, vm.Command{Line: line, Files: []string{file}, Binaries: []string{file}, Debian: true})
	if err != nil || got.code != 0 || got.stdout != "debian\noverlay\n/usr/local/bin/file\ncontent" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAMachineThatFailsSaysHow(t *testing.T) {
	for _, test := range []struct {
		name, line, want string
		timeout          time.Duration
	}{
		{"a panic", "echo c >/proc/sysrq-trigger; sleep 100", "(not syncing: sysrq triggered crash)", 5 * time.Minute},
		{"an early power-off", "poweroff -f; sleep 100", "went off", 5 * time.Minute},
		{"the time limit", "sleep 1000", "time limit of 30s", 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := boot(t, vm.Command{Line: test.line, Timeout: test.timeout})
			if err == nil || !strings.Contains(err.Error(), test.want) || got.code != vm.FailedExit {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
