// SPDX-License-Identifier: Apache-2.0

// Command relay measures the relay: simulated agents send events at a rate, two clients read, one of them slowly, and the relay
// runs as a process of its own. It prints the relay's memory and processor time, and whether every event is accounted for.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type flags struct {
	agents, rate int
	duration     time.Duration
	tls          bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var f flags
	var seconds int
	flag.IntVar(&f.agents, "agents", 1000, "simulated agents")
	flag.IntVar(&f.rate, "rate", 20, "alerts a second of each agent")
	flag.IntVar(&seconds, "seconds", 300, "how long they send")
	flag.BoolVar(&f.tls, "tls", true, "mutual TLS on all connections")
	flag.Parse()
	f.duration = time.Duration(seconds) * time.Second
	if err := f.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-relay:", err)
		os.Exit(1)
	}
}

func (f flags) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench-relay-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "relay")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/relay")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the relay: %w\n%s", err, out)
	}
	security, err := newSecurity(dir, f.tls)
	if err != nil {
		return err
	}
	begin := make(chan struct{})
	agents, err := f.simulate(security, begin)
	if err != nil {
		return err
	}
	defer func() {
		for _, a := range agents {
			a.Stop()
		}
	}()
	relay, err := startRelay(ctx, binary, security, agents)
	if err != nil {
		return err
	}
	defer relay.kill()
	return f.measure(ctx, relay, security, agents, begin)
}
