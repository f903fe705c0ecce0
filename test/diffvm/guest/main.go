// SPDX-License-Identifier: Apache-2.0

// Command guest compares, inside of a machine, what a kernel with the core does with what the reference model says: random
// policies in force, and real operations by a worker in a real cgroup.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
)

func main() {
	var c campaign
	worker := flag.String("worker", "", "file of the worker")
	flag.IntVar(&c.operations, "n", 1000, "how many operations")
	flag.IntVar(&c.each, "each", 150, "operations of one policy set")
	flag.Uint64Var(&c.seed, "seed", 1, "seed of the first policy set")
	flag.Parse()
	if err := run(&c, *worker); err != nil {
		var m *mismatch
		if errors.As(err, &m) {
			fmt.Println(m.Error())
		} else {
			fmt.Println("diff-vm: failed:", err)
		}
		os.Exit(1)
	}
}

func run(c *campaign, worker string) (err error) {
	ctx := context.Background()
	if err := cgroup.Check(cgroup.Top); err != nil {
		return err
	}
	m := &machine{gaps: map[string]int{}}
	if m.worker, err = os.ReadFile(worker); err != nil {
		return err
	}
	for name, group := range map[string]**cgroup.Group{"diffvm-policed": &m.policed, "diffvm-watched": &m.watched} {
		if *group, err = cgroup.Make(cgroup.Top, name); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, (*group).Remove()) }()
	}
	closeResolver, err := resolver()
	if err != nil {
		return err
	}
	defer closeResolver()
	if m.core, err = openCore(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.core.close()) }()
	if m.renamesTwice, err = before(5, 19); err != nil {
		return err
	}
	c.machine, c.begun = m, time.Now()
	fmt.Printf("diff-vm: %d operations from seed %d on, %d with each policy set; hooks that this kernel does not have: %v\n",
		c.operations, c.seed, c.each, m.core.missing)
	if err := c.run(ctx); err != nil {
		return err
	}
	c.report()
	for _, point := range slices.Sorted(maps.Keys(m.gaps)) {
		fmt.Printf("diff-vm: gap: %d operations that nobody judges, for this kernel has no %s\n", m.gaps[point], point)
	}
	return nil
}

// before says whether the kernel is older than that.
func before(major, minor int) (bool, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false, err
	}
	var own [2]int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &own[0], &own[1]); err != nil {
		return false, fmt.Errorf("read the kernel's version: %w", err)
	}
	return own[0] < major || own[0] == major && own[1] < minor, nil
}

// resolver takes what is sent to this machine's port for names, and answers nothing.
func resolver() (closeAll func(), err error) {
	var open []net.PacketConn
	closeAll = func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
	for _, at := range []string{"127.0.0.1:53", "[::1]:53"} {
		c, err := net.ListenPacket("udp", at)
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("take the resolver's place: %w", err)
		}
		open = append(open, c)
		go func() {
			for buffer := make([]byte, 1024); ; {
				if _, _, err := c.ReadFrom(buffer); err != nil {
					return
				}
			}
		}()
	}
	return closeAll, nil
}
