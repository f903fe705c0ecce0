// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"sync/atomic"

	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// Stats is the core's state, read out of the kernel.
type Stats struct {
	Mode Mode
	// Generation in force; zero before the first Apply.
	Generation uint64
	Programs   []Program
	// Missing are hooks of the core that this kernel does not have, for instance "lsm/path_chown": what only they see is
	// not judged.
	Missing []string
	Tables  []Table
	// Drops counts, by cause, what could not be judged or reported since the tables were made. Every cause is there.
	Drops map[string]uint64
}

// Program is one attached program.
type Program struct {
	Name string
	// Hook it is attached to, for instance "lsm/file_open".
	Hook string
	ID   uint32
	// VerifiedInstructions is zero on kernels before 5.16, which do not tell.
	VerifiedInstructions uint32
}

// Table is the fill of one kernel table.
type Table struct {
	Name           string
	Used, Capacity uint32
}

// causes are enum path_status and enum counter.
func causes() map[uint32]string {
	return map[uint32]string{
		1:  "path_too_long",
		2:  "path_too_many_mounts",
		3:  "path_detached_mount",
		4:  "path_unreachable",
		5:  "path_fault",
		6:  "scratch_busy",
		7:  "dns_query_unread",
		8:  "denial_ring_full",
		9:  "audit_ring_full",
		10: "event_without_source",
		11: "source_unresolved",
		12: "arguments_lost",
		13: "log_ring_full",
	}
}

// lostEvents counts what this process could not use; the kernel's counters know nothing of it.
type lostEvents struct{ undecodable atomic.Uint64 }

// Causes besides the kernel's counters. Kernels of 5.12 to 6.1.53 that preempt fully skip an LSM program, and so its
// verdict, while a task that was preempted inside the same program is not back on that CPU (271de525e1d7).
const (
	causeUndecodable = "event_undecodable"
	causeSkipped     = "program_skipped"
)

// Stats reads the core's state out of the kernel.
func (c *Core) Stats() (Stats, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed() {
		return Stats{}, errClosed
	}
	s := Stats{Mode: c.mode, Missing: c.missing}
	var err error
	if s.Programs, err = c.programs(); err != nil {
		return Stats{}, err
	}
	header, err := c.header()
	if err != nil {
		return Stats{}, err
	}
	s.Generation = header.Generation
	s.Tables = []Table{
		{Name: tableBindings, Used: header.Count, Capacity: maxBindings},
		{Name: tableLevels, Used: header.LevelCount, Capacity: uint32(maxLevels)},
		{Name: tableRules, Used: header.Rules, Capacity: table.MaxEntries},
		{Name: tableAutomata, Used: header.Pages, Capacity: table.MaxPages},
	}
	s.Drops, err = c.drops()
	return s, err
}

func (c *Core) programs() ([]Program, error) {
	var programs []Program
	for _, h := range c.hooks {
		info, err := h.program.Info()
		if err != nil {
			return nil, fmt.Errorf("read program %s: %w", h.name, err)
		}
		id, _ := info.ID()
		verified, _ := info.VerifiedInstructions()
		programs = append(programs, Program{Name: h.name, Hook: h.point, ID: uint32(id), VerifiedInstructions: verified})
	}
	return programs, nil
}

// header of the bindings in force; zero before the first Apply.
func (c *Core) header() (binding, error) {
	bindings, err := c.tableInForce()
	if err != nil || bindings == nil {
		return binding{}, err
	}
	var header binding
	if err := bindings.Lookup(uint64(0), &header); err != nil {
		return binding{}, fmt.Errorf("read header of bindings: %w", err)
	}
	return header, nil
}

func (c *Core) drops() (map[string]uint64, error) {
	drops := map[string]uint64{causeUndecodable: c.lost.undecodable.Load(), causeSkipped: 0}
	for _, h := range c.hooks {
		run, err := h.program.Stats()
		if err != nil {
			return nil, fmt.Errorf("read program %s: %w", h.name, err)
		}
		drops[causeSkipped] += run.RecursionMisses
	}
	for index, cause := range causes() {
		var perCPU []uint64
		if err := c.maps[tableCounters].Lookup(index, &perCPU); err != nil {
			return nil, fmt.Errorf("read counter %s: %w", cause, err)
		}
		for _, n := range perCPU {
			drops[cause] += n
		}
	}
	return drops, nil
}
