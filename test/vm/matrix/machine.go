// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

const lsm = "landlock,lockdown,yama,integrity,apparmor,bpf"

// machines says how every kernel is tested.
type machines struct {
	store   *cache.Cache
	run     string
	timeout time.Duration
}

// runAll tests one kernel after the other: emulated machines at the same time only slow each other down.
func runAll(ctx context.Context, m machines, kernels []target) ([]result, error) {
	dir, err := m.store.TempDir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binaries := map[string]string{}
	var results []result
	for _, k := range kernels {
		if binaries[k.arch] == "" {
			if binaries[k.arch], err = compile(ctx, dir, k.arch); err != nil {
				return nil, err
			}
		}
		var r result
		err := m.store.Log.Step("kernel "+k.String(), func() (err error) {
			r, err = m.boot(ctx, k, binaries[k.arch])
			return err
		})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			r = result{target: k, problem: err.Error()}
		}
		results = append(results, r)
	}
	return results, nil
}

// boot runs the tests on one kernel. An error means that the machine failed, not a test.
func (m machines) boot(ctx context.Context, k target, binary string) (result, error) {
	var out, console vm.Output
	code, err := vm.Command{
		Cache: m.store, KernelVersion: k.version, Arch: k.arch, LSM: lsm, MemoryMiB: 1536,
		Files: []string{binary}, Modules: []string{"overlay"}, Timeout: m.timeout,
		Line:   fmt.Sprintf("SENSOR_TESTS_MUST_RUN=1 %s -test.v -test.short -test.run '%s'", binary, m.run),
		Stdout: &out, Stderr: &out, Console: &console,
	}.Run(ctx)
	if err != nil {
		return result{}, fmt.Errorf("%w\n%s", err, tail(out.String()))
	}
	r := parse(k, out.String())
	r.exit = code
	switch text := console.String(); {
	case strings.Contains(text, "Oops") || strings.Contains(text, "WARNING:"):
		r.problem = "the kernel complained: " + text
	case !r.ok():
		fmt.Fprint(os.Stderr, out.String())
	}
	return r, nil
}

// tail is the end of a long text.
func tail(text string) string {
	const keep = 4000
	return text[max(0, len(text)-keep):]
}

// compile builds the tests of internal/sensor as a static binary.
func compile(ctx context.Context, dir, arch string) (string, error) {
	binary := filepath.Join(dir, "sensor-"+arch+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "github.com/kubearmor/kubearmor-operator/internal/sensor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the tests of internal/sensor for %s: %w\n%s", arch, err, out)
	}
	return binary, nil
}
