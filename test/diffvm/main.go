// SPDX-License-Identifier: Apache-2.0

// Diffvm compares what real kernels with the core do with what the reference model says: in a virtual machine, random
// policies are put in force, and a worker in a real cgroup tries real operations.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/diffvm/machine"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

func main() {
	var c machine.Campaign
	flag.StringVar(&c.Kernel, "kernel", "6.12", "kernel line: "+strings.Join(kernel.Versions(), ", "))
	flag.StringVar(&c.Arch, "arch", runtime.GOARCH, "architecture: "+strings.Join(kernel.Arches(), ", "))
	flag.IntVar(&c.Operations, "n", 20_000, "how many operations")
	flag.IntVar(&c.Each, "each", 0, "operations with each policy set; 0 is 150")
	flag.Uint64Var(&c.Seed, "seed", uint64(time.Now().Unix()), "seed of the first policy set; the same seed gives the same operations")
	flag.DurationVar(&c.Timeout, "timeout", time.Hour, "time limit of the machine")
	folder := flag.String("cache", filepath.FromSlash(".cache/testbed"), "folder for downloads and images")
	flag.Parse()
	if err := run(c, *folder); err != nil {
		os.Exit(1)
	}
}

// run says with its last line how the campaign ended.
func run(c machine.Campaign, folder string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	begun := time.Now()
	c.Out, c.Console = os.Stdout, os.Stderr
	var result machine.Result
	var err error
	if c.Cache, err = cache.Open(folder, progress.New(os.Stderr)); err == nil {
		result, err = c.Run(ctx)
	}
	where := fmt.Sprintf("on %s %s in %s", c.Kernel, c.Arch, time.Since(begun).Round(time.Second))
	if err != nil {
		fmt.Printf("DIFF-VM FAILED: %v, %s\n", err, where)
		return err
	}
	fmt.Printf("DIFF-VM OK: %d operations, %d policy sets, 0 mismatches %s\n", result.Operations, result.Sets, where)
	return nil
}
