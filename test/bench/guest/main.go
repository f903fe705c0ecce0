// SPDX-License-Identifier: Apache-2.0

// Command guest runs inside the benchmark's machine: it attaches and detaches the core, moves a worker between cgroups,
// and prints what the worker measured as one JSON object.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/bench/report"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("no command: rounds, memory, worker, node, rules or agent")
	}
	switch args[0] {
	case "rounds":
		return rounds(args[1:])
	case "worker":
		return work(os.Stdin, os.Stdout)
	case "node", "rules":
		return weigh(args[0])
	case "memory":
		memory, err := weighAll()
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(memory))
	case "agent":
		return runAgent(args[1])
	default:
		return fmt.Errorf("unknown command %q", args[0])
	}
}

// rounds measures everything and prints it.
func rounds(args []string) error {
	var p plan
	var weighs bool
	set := flag.NewFlagSet("rounds", flag.ContinueOnError)
	set.IntVar(&p.rounds, "rounds", 15, "rounds; every one is a sample of each setting and operation")
	set.IntVar(&p.batches, "batches", 9, "batches of one round, setting and operation; their median is the sample")
	set.DurationVar(&p.batch, "batch", defaultBatch, "how long a batch takes")
	set.BoolVar(&weighs, "memory", true, "weigh the agent and its tables, too")
	if err := set.Parse(args); err != nil {
		return err
	}
	raw := report.Raw{Kernel: kernelRelease()}
	if err := measure(context.Background(), p, &raw); err != nil {
		return err
	}
	if weighs {
		memory, err := weighAll()
		if err != nil {
			return err
		}
		raw.Memory = memory
	}
	return json.NewEncoder(os.Stdout).Encode(raw)
}

func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "?"
	}
	return strings.TrimRight(string(name.Release[:]), "\x00")
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
