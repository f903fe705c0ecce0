// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/kubearmor/kubearmor-operator/bpf/match"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// TestRun runs the core's decision about paths on this machine's own kernel, with nothing attached. It is for benchmarks
// and needs root; no two calls may be made at once.
type TestRun struct {
	objects match.MatchObjects
	floor   *ebpf.Program
	core    *Core
	slot    match.MatchScratch
}

// OpenTestRun loads it.
func OpenTestRun() (*TestRun, error) {
	spec, err := match.LoadMatch()
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	neverUsed(spec.Maps[tableTasks])
	r := &TestRun{core: &Core{inner: map[string]*ebpf.MapSpec{}, key: table.Key{0x0123456789abcdef, 0xfedcba9876543210}}}
	if err := spec.Variables["hash_key"].Set(r.core.key); err != nil {
		return nil, fmt.Errorf("set hash_key: %w", err)
	}
	for _, name := range []string{tableRules, tableAutomata} {
		r.core.inner[name] = spec.Maps[name].InnerMap
	}
	if err := spec.LoadAndAssign(&r.objects, nil); err != nil {
		return nil, fmt.Errorf("load test programs: %w", err)
	}
	r.core.maps = map[string]*ebpf.Map{tableRules: r.objects.Rules, tableAutomata: r.objects.Automata}
	r.floor, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SocketFilter, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load empty program: %w", err), r.objects.Close())
	}
	return r, nil
}

// Close releases it.
func (r *TestRun) Close() error { return errors.Join(r.objects.Close(), r.floor.Close()) }

// Hold replaces the rules by one profile's.
func (r *TestRun) Hold(profile compile.Profile) error {
	summaries, layout, err := layOut([]compile.Profile{profile}, r.core.key)
	if err != nil {
		return err
	}
	const place = 1
	if err := r.core.writeTables(place, layout); err != nil {
		return err
	}
	b := summaries[profile.ID]
	r.slot.Binding = match.MatchBinding{
		Profile: b.Profile, Depths: b.Depths, Automaton: b.Automaton, Start: b.Start, Tables: place, Buckets: uint32(len(layout.Buckets)),
		Domains: b.Domains, Posture: b.Posture, Conditions: b.Conditions,
	}
	return nil
}

// Ask gives the rule that decides about the path, 0 if none does. It knows neither sources nor postures.
func (r *TestRun) Ask(q table.Question) (compile.RuleID, error) {
	if err := r.put(q); err != nil {
		return 0, err
	}
	if _, err := r.objects.DecidePath.Run(&ebpf.RunOptions{Data: frame()}); err != nil {
		return 0, fmt.Errorf("run decision: %w", err)
	}
	var out match.MatchScratch
	if err := r.objects.Slots.Lookup(uint32(0), &out); err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	return compile.RuleID(out.Rule), nil
}

// Time decides so many times and gives what one took, as the kernel counts it.
func (r *TestRun) Time(q table.Question, times int) (time.Duration, error) {
	if err := r.put(q); err != nil {
		return 0, err
	}
	return measured(r.objects.DecidePath, times)
}

// Floor is Time for a program that does nothing.
func (r *TestRun) Floor(times int) (time.Duration, error) { return measured(r.floor, times) }

func measured(p *ebpf.Program, times int) (time.Duration, error) {
	_, each, err := p.Benchmark(frame(), times, nil)
	if err != nil {
		return 0, fmt.Errorf("run %d times: %w", times, err)
	}
	return each, nil
}

// frame is what a test run of a socket filter is given at least: room for a header.
func frame() []byte { return make([]byte, 64) }

// put writes the question's path into the slot as the walk up would.
func (r *TestRun) put(q table.Question) error {
	if len(q.Path) < 2 || len(q.Path) >= pathEnd || q.Path[0] != '/' {
		return fmt.Errorf("%d bytes are no path of a file", len(q.Path))
	}
	r.slot.Domain, r.slot.Met, r.slot.Source = uint32(q.Domain), uint32(q.Met), 0
	names := strings.Split(q.Path[1:], "/")
	for i, name := range names {
		r.slot.Lengths[len(names)-1-i] = uint8(len(name))
	}
	r.slot.Components = uint32(len(names))
	r.slot.Start = uint32(pathEnd - len(q.Path))
	copy(r.slot.Path[r.slot.Start:], q.Path)
	if err := r.objects.Slots.Put(uint32(0), &r.slot); err != nil {
		return fmt.Errorf("put question: %w", err)
	}
	return nil
}

// pathEnd is PATH_BYTES of bpf/include/core/limits.h: a path ends there.
const pathEnd = 4096
