// SPDX-License-Identifier: Apache-2.0

// Package vm runs the core's own tests on real kernels, each in a virtual machine of its own.
package vm

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

const (
	withBPF    = "landlock,lockdown,yama,integrity,apparmor,bpf"
	withoutBPF = "landlock,lockdown,yama,integrity,apparmor"

	// The newest and the oldest kernel that is common, and the one that the core must not need more than.
	defaultKernels = "5.10/amd64 6.1/amd64 6.12/amd64"
	// onTheOldest is what depends on the kernel: what its verifier takes, where its hooks are, and what they are given.
	onTheOldest = "AcceptsEveryProgram|TheCanaryIsHonest|EveryWayToChangeFiles|SocketsAndCapabilities|TestVerdicts|NoWayOut|" +
		"OutlivesItsLoader|SystemCallsAreSeen|TestPresets$|AnOverlayFile|UnresolvedPaths|AnEventSays|OfAnInterpreter|WhatIsVisible"
)

// inPart are the kernels that run a part of the tests unless VM_KERNELS names them. A program that was cheap for the verifiers
// of 5.10 and 6.12 has been at the edge of what that of 6.1 takes.
var inPart = map[string]string{"5.10/amd64": onTheOldest, "6.1/amd64": "AcceptsEveryProgram"}

// kernels are KERNEL/ARCH pairs, from VM_KERNELS.
func kernels(t *testing.T) []string {
	t.Helper()
	list := strings.Fields(cmp.Or(os.Getenv("VM_KERNELS"), defaultKernels))
	for _, kernel := range list {
		if strings.Count(kernel, "/") != 1 {
			t.Fatalf("VM_KERNELS: %q is not KERNEL/ARCH, such as 6.12/arm64", kernel)
		}
	}
	return list
}

// TestTheCoreOnRealKernels fails where a test of internal/sensor fails, or is skipped for want of anything.
func TestTheCoreOnRealKernels(t *testing.T) {
	store := openCache(t)
	for _, kernel := range kernels(t) {
		t.Run(kernel, func(t *testing.T) {
			version, arch, _ := strings.Cut(kernel, "/")
			if !canAttach(version, arch) {
				t.Skipf("the kernel refuses to attach LSM programs (arm64 before 6.4): TestTheCanaryOnKernelsThatCannotEnforce covers it")
			}
			run := "."
			if os.Getenv("VM_KERNELS") == "" {
				run = cmp.Or(inPart[kernel], run)
			}
			boot{store: store, version: version, arch: arch, lsm: withBPF, run: run, timeout: 40 * time.Minute}.test(t)
		})
	}
}

func canAttach(version, arch string) bool {
	return arch != "arm64" || (version != "5.10" && version != "6.1")
}

// TestTheCanaryOnKernelsThatCannotEnforce: it says why, and observing works.
func TestTheCanaryOnKernelsThatCannotEnforce(t *testing.T) {
	store := openCache(t)
	for _, kernel := range kernels(t) {
		version, arch, _ := strings.Cut(kernel, "/")
		reasons := map[string]string{withoutBPF: "DenialNotSeen"}
		if !canAttach(version, arch) {
			reasons = map[string]string{withBPF: "AttachRefused"}
		}
		for lsm, reason := range reasons {
			t.Run(fmt.Sprintf("%s %s", kernel, reason), func(t *testing.T) {
				boot{
					store: store, version: version, arch: arch, lsm: lsm, run: "^(TestTheCanaryIsHonest|TestObserve)",
					environment: "SENSOR_TESTS_CANARY=" + reason, timeout: 10 * time.Minute,
				}.test(t)
			})
		}
	}
}

func openCache(t *testing.T) *cache.Cache {
	t.Helper()
	store, err := cache.Open(filepath.Join("..", "..", ".cache", "testbed"), progress.New(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// boot is one machine that runs the tests of internal/sensor that match.
type boot struct {
	store                   *cache.Cache
	version, arch, lsm, run string
	environment             string
	timeout                 time.Duration
}

func (b boot) test(t *testing.T) {
	binary := compile(t, b.arch)
	var out, console vm.Output
	command := vm.Command{
		Cache:         b.store,
		KernelVersion: b.version,
		Arch:          b.arch,
		LSM:           b.lsm,
		MemoryMiB:     1536,
		Files:         []string{binary},
		Modules:       []string{"overlay"},
		Line:          fmt.Sprintf("SENSOR_TESTS_MUST_RUN=1 %s %s -test.v -test.short -test.run '%s'", b.environment, binary, b.run),
		Timeout:       b.timeout,
		Stdout:        &out,
		Stderr:        &out,
		Console:       &console,
	}
	code, err := command.Run(t.Context())
	if err != nil {
		t.Fatalf("the machine failed: %v\n%s", err, out.String())
	}
	t.Log(summary(out.String()))
	if code != 0 || !strings.Contains(out.String(), "\nPASS\n") {
		t.Fatalf("exit status %d\n%s\n%s", code, out.String(), console.String())
	}
	if strings.Contains(console.String(), "Oops") || strings.Contains(console.String(), "WARNING:") {
		t.Errorf("the kernel complained:\n%s", console.String())
	}
}

// summary leaves the lines that tell results and numbers.
func summary(out string) string {
	var kept []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(strings.TrimSpace(line), "=== RUN") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// compile builds the tests of internal/sensor as a static binary.
func compile(t *testing.T, arch string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sensor.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, "github.com/kubearmor/kubearmor-operator/internal/sensor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compile the tests of internal/sensor: %v\n%s", err, out)
	}
	return binary
}
