// SPDX-License-Identifier: Apache-2.0

// Command matrix runs the core's tests on the kernels that the project promises to enforce on, each in a machine of its
// own, and prints what came of it: tests, programs, and how many instructions the verifier went through for each. Those
// numbers are recorded beside it, and growth of more than 5 % is a failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// allKernels of the matrix.
const allKernels = "5.10/amd64 6.1/amd64 6.12/amd64 7.2/amd64 6.12/arm64"

type flags struct {
	kernels, run, record, cache string
	update                      bool
	timeout                     time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var f flags
	flag.StringVar(&f.kernels, "kernels", allKernels, "KERNEL/ARCH pairs with spaces between them")
	flag.StringVar(&f.run, "run", ".", "tests of internal/sensor to run, as go test -run has it")
	flag.StringVar(&f.record, "record", filepath.FromSlash("test/vm/matrix/insns.json"), "file of the recorded instruction counts")
	flag.StringVar(&f.cache, "cache", filepath.FromSlash(".cache/testbed"), "folder for downloads and images")
	flag.BoolVar(&f.update, "update", false, "write the counts of the kernels that ran into the record")
	flag.DurationVar(&f.timeout, "timeout", 40*time.Minute, "time limit of one machine")
	flag.Parse()
	if err := f.matrix(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func (f flags) matrix(ctx context.Context) error {
	kernels, err := parseKernels(f.kernels)
	if err != nil {
		return err
	}
	recorded, err := readRecord(f.record)
	if err != nil {
		return err
	}
	store, err := cache.Open(f.cache, progress.New(os.Stderr))
	if err != nil {
		return err
	}
	results, err := runAll(ctx, machines{store: store, run: f.run, timeout: f.timeout}, kernels)
	if err != nil {
		return err
	}
	fmt.Print(render(results, recorded))
	errs := []error{failures(results)}
	if f.update {
		return errors.Join(errors.Join(errs...), writeRecord(f.record, recorded.with(results)))
	}
	for _, r := range results {
		errs = append(errs, recorded.check(r))
	}
	return errors.Join(errs...)
}

// target is one kernel of the matrix.
type target struct{ version, arch string }

func (t target) String() string { return t.version + "/" + t.arch }

func parseKernels(list string) ([]target, error) {
	var targets []target
	for _, word := range strings.Fields(list) {
		version, arch, found := strings.Cut(word, "/")
		if !found || version == "" || arch == "" {
			return nil, fmt.Errorf("kernel %q is not KERNEL/ARCH, such as 6.12/arm64", word)
		}
		targets = append(targets, target{version, arch})
	}
	if len(targets) == 0 {
		return nil, errors.New("no kernel named: use KERNEL/ARCH, such as 6.12/arm64")
	}
	return targets, nil
}

// failures names the kernels whose tests did not pass.
func failures(results []result) error {
	var failed []string
	for _, r := range results {
		if !r.ok() {
			failed = append(failed, r.String())
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("the core's tests failed on %s", strings.Join(failed, ", "))
}
