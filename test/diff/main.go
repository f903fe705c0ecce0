// SPDX-License-Identifier: Apache-2.0

// Diff compares what the policies' compiler and the core make of random policies with the reference model.
//
// By default the core's own code judges, in this machine's kernel: BPF_PROG_TEST_RUN runs its matching on tables in maps.
// That needs CAP_BPF and CAP_PERFMON, and no LSM. With -pure a twin in Go reads the same tables.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	n := flag.Int("n", 1_000_000, "how many cases")
	seed := flag.Uint64("seed", uint64(time.Now().Unix()), "seed of the first workload; the same seed gives the same cases")
	workers := flag.Int("workers", runtime.NumCPU(), "how many run at one time, each with tables of its own")
	usePure := flag.Bool("pure", false, "ask the twin in Go, and not the kernel")
	flag.Parse()
	c := &campaign{seed: *seed, cases: *n, workers: *workers, open: openNative}
	if *usePure {
		c.open = func() (backend, error) { return &pure{}, nil }
	}
	if err := report(c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// report runs the campaign and says every ten seconds how far it is.
func report(c *campaign) error {
	began := time.Now()
	finished := make(chan error, 1)
	fmt.Printf("diff: %d cases from seed %d on, %d workers\n", c.cases, c.seed, c.workers)
	go func() { finished <- c.run() }()
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Printf("diff: %d of %d cases in %s, 0 mismatches\n", c.done.Load(), c.cases, time.Since(began).Round(time.Second))
		case err := <-finished:
			took := time.Since(began).Round(time.Second)
			var m *mismatch
			if errors.As(err, &m) {
				return fmt.Errorf("DIFF FAILED after %d cases in %s: %w", c.done.Load(), took, err)
			}
			if err != nil {
				return fmt.Errorf("diff: %w", err)
			}
			fmt.Printf("diff: %s; %d rules left out that the core cannot hold\n", c.verdicts(), c.dropped.Load())
			fmt.Printf("DIFF OK: %d cases, 0 mismatches in %s\n", c.done.Load(), took)
			return nil
		}
	}
}
