// SPDX-License-Identifier: Apache-2.0

// Command bench measures what the core costs: one decision, natively and without a machine around it, and the operations
// of a workload in a virtual machine, with and without the core. It prints tables and writes them as JSON and as a plot.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/bench/plot"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

type flags struct {
	native, machine bool
	memory          bool
	samples         int
	kernel          string
	rounds, batches int
	batch           time.Duration
	timeout         time.Duration
	out, cache      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var f flags
	flag.BoolVar(&f.native, "native", true, "measure decisions on this machine's own kernel (needs root)")
	flag.IntVar(&f.samples, "samples", 15, "samples of a decision")
	flag.BoolVar(&f.machine, "machine", true, "measure operations in a virtual machine")
	flag.BoolVar(&f.memory, "memory", true, "weigh the agent and its tables in the machine, too")
	flag.StringVar(&f.kernel, "kernel", "6.12", "kernel of the machine")
	flag.IntVar(&f.rounds, "rounds", 15, "rounds in the machine; every one is a sample")
	flag.IntVar(&f.batches, "batches", 9, "batches of one round, setting and operation; their median is the sample")
	flag.DurationVar(&f.batch, "batch", 60*time.Millisecond, "how long a batch takes")
	flag.DurationVar(&f.timeout, "timeout", 40*time.Minute, "time limit of the machine")
	flag.StringVar(&f.out, "out", filepath.FromSlash("docs/bench"), "folder of the results")
	flag.StringVar(&f.cache, "cache", filepath.FromSlash(".cache/testbed"), "folder for downloads and images")
	flag.Parse()
	if err := f.bench(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench measures and writes. That a bound is missed is a result, not an error.
func (f flags) bench(ctx context.Context) error {
	r := &report.Report{Environment: environment(ctx)}
	store, err := cache.Open(f.cache, progress.New(os.Stderr))
	if err != nil {
		return err
	}
	if r.Environment.Noisy {
		store.Log.Printf("NOISY: the load average of this machine is %.1f; wait until it is idle for numbers that mean something", r.Environment.Load)
	}
	if f.native {
		err := store.Log.Step("native decisions", func() (err error) {
			r.Native, err = nativeDecisions(store.Log, f.samples)
			return err
		})
		if err != nil {
			return err
		}
	}
	if f.machine {
		err := store.Log.Step("operations in a machine with kernel "+f.kernel, func() error { return f.runMachine(ctx, store, r) })
		if err != nil {
			return err
		}
	}
	r.Judge()
	fmt.Print(r.Text())
	return write(f.out, r)
}

// write the results: bench.txt, bench.json and bench.svg.
func write(dir string, r *report.Report) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	for name, text := range map[string]string{
		"bench.txt": r.Text(), "bench.json": string(data) + "\n", "bench.svg": plot.SVG(r),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

// environment of this run. What cannot be found out is "?".
func environment(ctx context.Context) report.Environment {
	e := report.Environment{CPU: "?", HostKernel: "?", Commit: "?", CPUs: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		e.CPU = processor(string(text))
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		e.HostKernel = unix.ByteSliceToString(name.Release[:])
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		e.Commit = strings.TrimSpace(string(out))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &e.Load)
	}
	e.Noisy = report.Busy(e.Load)
	return e
}

// processor is the name in /proc/cpuinfo, which arm64 does not tell.
func processor(text string) string {
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
