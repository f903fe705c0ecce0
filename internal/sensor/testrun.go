// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/kubearmor/kubearmor-operator/bpf/match"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// TestRun is the core's own deciding code without hooks: nothing is attached, and this machine's kernel, whichever it is,
// runs it on questions that are made up. It takes CAP_BPF and CAP_PERFMON. It is not safe for concurrent use.
type TestRun struct {
	objects match.MatchObjects
	core    *Core
	key     table.Key
	binding match.MatchBinding
	slot    match.MatchScratch
}

// Limits of paths, as in bpf/include/core/limits.h.
const (
	maxPath = 4096
	maxName = 255
)

// enum path_kind, path_status and asked, as far as questions have them.
const (
	statusTooLong = 1
	askBlocks     = 1 << 2
	askDirectory  = 1 << 3
)

// testPlace is where the tables are; not the first place, so that nothing works because a number happens to be 0.
const testPlace = 1

// OpenTestRun loads the code.
func OpenTestRun() (*TestRun, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise RLIMIT_MEMLOCK, which kernels before 5.11 charge BPF maps to: %w", err)
	}
	spec, err := match.LoadMatch()
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	neverUsed(spec.Maps[tableTasks])
	r := &TestRun{key: table.Key{0x0123456789abcdef, 0xfedcba9876543210}}
	if err := spec.Variables["hash_key"].Set(r.key); err != nil {
		return nil, fmt.Errorf("set hash key: %w", err)
	}
	if err := spec.LoadAndAssign(&r.objects, nil); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	r.core = &Core{maps: map[string]*ebpf.Map{tableRules: r.objects.Rules, tableAutomata: r.objects.Automata}, inner: map[string]*ebpf.MapSpec{}}
	for name := range maps.Keys(r.core.maps) {
		r.core.inner[name] = spec.Maps[name].InnerMap
	}
	return r, nil
}

// Close unloads it.
func (r *TestRun) Close() error { return r.objects.Close() }

// Hold replaces the profile that questions are about.
func (r *TestRun) Hold(p compile.Profile) error {
	summaries, layout, err := layOut([]compile.Profile{p}, r.key)
	if err != nil {
		return err
	}
	if err := r.core.writeTables(testPlace, layout); err != nil {
		return err
	}
	b := summaries[p.ID]
	r.binding = match.MatchBinding{
		Profile: b.Profile, Depths: b.Depths, Names: b.Names, Calls: b.Calls, CallDepths: b.CallDepths, Automaton: b.Automaton, Start: b.Start,
		Tables: testPlace, Buckets: uint32(len(layout.Buckets)), Domains: b.Domains, Posture: b.Posture, Conditions: b.Conditions,
	}
	return nil
}

// Ask gives the rule that decides, RulePosture, RuleUnresolved, or 0.
func (r *TestRun) Ask(q table.Question) (compile.RuleID, error) {
	answer, err := r.Answer(q)
	return answer.Rule, err
}

// Answer decides once. An Allow is of a rule only where one said so.
func (r *TestRun) Answer(q table.Question) (table.Answer, error) {
	program, err := r.prepare(q)
	if err != nil || program == nil {
		return table.Answer{Action: compile.ActionAllow}, err
	}
	if err := r.run(program); err != nil {
		return table.Answer{}, err
	}
	if err := r.argue(q); err != nil {
		return table.Answer{}, err
	}
	return r.answer(), nil
}

// answer that is in the slot.
func (r *TestRun) answer() table.Answer {
	answer := table.Answer{Action: max(compile.ActionAllow, compile.Action(r.slot.Action)), Rule: compile.RuleID(r.slot.Rule)}
	if answer.Action == compile.ActionAllow && answer.Rule == RulePosture {
		answer.Rule = 0
	}
	return answer
}

// argue asks again where the answer depends on arguments that are known.
func (r *TestRun) argue(q table.Question) error {
	if q.Domain != compile.DomainProcess || q.UnknownArguments || compile.Conditions(r.binding.Conditions[q.Domain])&compile.ConditionArguments == 0 {
		return nil
	}
	memory := []byte(strings.Join(q.Arguments, "\x00") + "\x00")
	r.slot.Arguments, r.slot.ArgumentCount = uint64(uintptr(unsafe.Pointer(&memory[0]))), uint32(len(q.Arguments))
	err := r.put()
	if err == nil {
		err = r.run(r.objects.ArgumentsAnswer)
	}
	runtime.KeepAlive(memory)
	return err
}

// Time decides so many times, and returns what one took, by the kernel's count.
func (r *TestRun) Time(q table.Question, times int) (time.Duration, error) {
	program, err := r.prepare(q)
	if err != nil {
		return 0, err
	}
	if program == nil {
		return 0, errors.New("the profile has nothing to say about this domain")
	}
	return timed(program, times)
}

// Floor is Time for a program that does nothing.
func (r *TestRun) Floor(times int) (time.Duration, error) { return timed(r.objects.Nothing, times) }

// packet is what a socket filter is run on; ours do not look at it.
func packet() []byte { return make([]byte, 64) }

func timed(program *ebpf.Program, times int) (time.Duration, error) {
	_, each, err := program.Benchmark(packet(), times, nil)
	if err != nil {
		return 0, fmt.Errorf("run: %w", err)
	}
	return each, nil
}

// prepare writes the question into the slot, and returns the program that answers it; none where no hook would ask.
func (r *TestRun) prepare(q table.Question) (*ebpf.Program, error) {
	flags := table.DomainFlags(r.binding.Domains[q.Domain])
	if flags&table.DomainRules == 0 || q.BlocksOnly && flags&table.DomainBlocks == 0 {
		return nil, nil
	}
	r.slot = match.MatchScratch{Binding: r.binding, Domain: uint32(q.Domain)}
	if flags&table.DomainSources != 0 && q.Source != "" {
		if err := r.findSource(q.Source); err != nil {
			return nil, err
		}
	}
	r.question(q)
	program := r.objects.PathAnswer
	switch q.Domain {
	case compile.DomainNetwork:
		program, r.slot.Words = r.objects.WordsAnswer, [4]uint32{uint32(q.Family), uint32(q.Type), uint32(q.Protocol)}
	case compile.DomainCapabilities:
		program, r.slot.Words = r.objects.WordsAnswer, [4]uint32{uint32(q.Capability) + 1}
	default:
		if err := r.path(q.Path); err != nil && !q.Unresolved && !q.Object {
			return nil, err
		}
	}
	return program, r.put()
}

func (r *TestRun) question(q table.Question) {
	r.slot.Met = uint32(q.Met &^ compile.ConditionArguments)
	if q.Domain == compile.DomainProcess && !q.UnknownArguments {
		r.slot.Met |= uint32(compile.ConditionArguments)
	}
	r.slot.Asked, r.slot.Status, r.slot.Kind = 0, 0, kindFile
	if q.BlocksOnly {
		r.slot.Asked |= askBlocks
	}
	if q.Inside {
		r.slot.Asked |= askDirectory
	}
	if q.Unresolved {
		r.slot.Status = statusTooLong
	}
	if q.Object {
		r.slot.Kind = kindObject
	}
}

// findSource has the core find the class of an executable.
func (r *TestRun) findSource(path string) error {
	if err := r.path(path); err != nil {
		return err
	}
	if err := r.put(); err != nil {
		return err
	}
	return r.run(r.objects.SourceClass)
}

// path writes a path into the slot as the walk up would.
func (r *TestRun) path(path string) error {
	r.slot.Start, r.slot.Components = maxPath, 0
	if path == "/" {
		return nil
	}
	names := strings.Split(strings.TrimPrefix(path, "/"), "/")
	tooLong := slices.ContainsFunc(names, func(name string) bool { return name == "" || len(name) > maxName })
	if !strings.HasPrefix(path, "/") || len(path) > maxPath || tooLong {
		return fmt.Errorf("no kernel has a path like %q", path)
	}
	r.slot.Start = uint32(maxPath - len(path))
	copy(r.slot.Path[r.slot.Start:], path)
	for i, name := range names {
		r.slot.Lengths[len(names)-1-i] = uint8(len(name))
	}
	r.slot.Components = uint32(len(names))
	return nil
}

func (r *TestRun) put() error {
	if err := r.objects.Slots.Put(uint32(0), &r.slot); err != nil {
		return fmt.Errorf("write slot: %w", err)
	}
	return nil
}

func (r *TestRun) run(program *ebpf.Program) error {
	if _, err := program.Run(&ebpf.RunOptions{Data: packet()}); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if err := r.objects.Slots.Lookup(uint32(0), &r.slot); err != nil {
		return fmt.Errorf("read slot: %w", err)
	}
	return nil
}
