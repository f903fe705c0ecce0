// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
)

const (
	defaultBatch = 60 * time.Millisecond
	// leastTimes of an operation in a batch, however slow the machine is.
	leastTimes = 8
)

// plan says how much is measured.
type plan struct {
	rounds, batches int
	batch           time.Duration
}

// series is a measurement while it goes on.
type series struct {
	plan
	raw     *report.Raw
	worker  *worker
	cgroups cgroups
	set     compile.Set
	// programs that the kernel has without the core.
	programs int
	core     *attached
	// times that each operation is done in a batch.
	times map[string]int
}

// measure fills raw with samples and profile. In every round each setting has its turn, with the core really detached
// for those without it. Rounds take turns in what comes first, so that the core is attached once and detached once in a
// round.
func measure(ctx context.Context, p plan, raw *report.Raw) error {
	s, err := newSeries(p, raw)
	if err != nil {
		return err
	}
	defer s.worker.process.Kill() //nolint:errcheck // the machine ends soon after
	for round := range p.rounds {
		phases := []func(int) error{s.withoutAgent, func(round int) error { return s.withAgent(ctx, round) }}
		if round%2 == 1 {
			slices.Reverse(phases)
		}
		for _, phase := range phases {
			if err := phase(round); err != nil {
				return err
			}
		}
		logf("round %d of %d done", round+1, p.rounds)
	}
	return s.profile(ctx)
}

func newSeries(p plan, raw *report.Raw) (*series, error) {
	s := &series{plan: p, raw: raw, times: map[string]int{}}
	var err error
	if s.programs, err = countPrograms(); err != nil {
		return nil, err
	}
	if s.cgroups, err = makeCgroups(report.SettingUnpoliced, report.SettingFew, report.SettingMany); err != nil {
		return nil, err
	}
	few, many := s.cgroups.ids[report.SettingFew], s.cgroups.ids[report.SettingMany]
	out := compiled([]compile.Workload{workload(few, "few", 10), workload(many, "many", 10_000)})
	s.set = out.Set
	raw.Policies = []report.PolicyInForce{inForce(out, "few", report.SettingFew), inForce(out, "many", report.SettingMany)}
	raw.Samples = map[string]map[string][]float64{}
	for _, operation := range report.Operations() {
		raw.Samples[operation] = map[string][]float64{}
	}
	if s.worker, err = startWorker(); err != nil {
		return nil, err
	}
	return s, s.calibrate()
}

// calibrate finds how often an operation fits into a batch.
func (s *series) calibrate() error {
	if err := s.cgroups.move(s.worker.process.Pid, report.SettingUnpoliced); err != nil {
		return err
	}
	for _, operation := range report.Operations() {
		times := leastTimes
		for {
			each, err := s.worker.do(operation, times)
			if err != nil {
				return err
			}
			if took := each * float64(times); took > float64(s.batch)/2 {
				s.times[operation] = max(leastTimes, int(float64(s.batch)/each))
				break
			}
			times *= 2
		}
		logf("%s: %d times in a batch", operation, s.times[operation])
	}
	return nil
}

func (s *series) withoutAgent(round int) error {
	if s.core != nil {
		s.raw.Events += int(s.core.events.Load())
		if err := s.core.detach(s.programs); err != nil {
			return err
		}
		s.core = nil
	}
	return s.phase(round, []string{report.SettingNone, report.SettingAgain})
}

func (s *series) withAgent(ctx context.Context, round int) error {
	if err := s.ensureAttached(ctx); err != nil {
		return err
	}
	return s.phase(round, []string{report.SettingUnpoliced, report.SettingFew, report.SettingMany})
}

func (s *series) ensureAttached(ctx context.Context) error {
	if s.core != nil {
		return nil
	}
	s.set.Generation++
	core, err := attach(ctx, s.set)
	if err != nil {
		return fmt.Errorf("attach the core: %w", err)
	}
	s.core = core
	s.raw.Attach = append(s.raw.Attach, core.opened.Seconds())
	return nil
}

// phase takes one sample of each setting and operation. Settings take turns batch by batch, another one first in every
// round and batch.
func (s *series) phase(round int, settings []string) error {
	batches := map[string]map[string][]float64{}
	for _, setting := range settings {
		batches[setting] = map[string][]float64{}
	}
	for batch := range s.batches {
		for i := range settings {
			setting := settings[(i+batch+round)%len(settings)]
			if err := s.turn(setting, batches[setting]); err != nil {
				return err
			}
		}
	}
	for setting, operations := range batches {
		for operation, each := range operations {
			samples := s.raw.Samples[operation]
			samples[setting] = append(samples[setting], stats.Median(each))
		}
	}
	return nil
}

// turn moves the worker and has it do a batch of each operation, after a few that are not timed.
func (s *series) turn(setting string, each map[string][]float64) error {
	if err := s.cgroups.move(s.worker.process.Pid, cgroupOf(setting)); err != nil {
		return err
	}
	for _, operation := range report.Operations() {
		times := s.times[operation]
		if _, err := s.worker.do(operation, max(1, times/10)); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
		took, err := s.worker.do(operation, times)
		if err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
		each[operation] = append(each[operation], took)
	}
	return nil
}

// profile counts runs of programs for each operation and setting with the core attached.
func (s *series) profile(ctx context.Context) (err error) {
	if err := s.ensureAttached(ctx); err != nil {
		return err
	}
	if err := countRuns(true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, countRuns(false), s.core.detach(s.programs)) }()
	state, err := s.core.core.Stats()
	if err != nil {
		return err
	}
	for _, operation := range report.Operations() {
		for _, setting := range []string{report.SettingUnpoliced, report.SettingFew, report.SettingMany} {
			if err := s.cgroups.move(s.worker.process.Pid, setting); err != nil {
				return err
			}
			own, err := s.counted(operation, 0)
			if err != nil {
				return err
			}
			all, err := s.counted(operation, s.times[operation])
			if err != nil {
				return err
			}
			for _, p := range state.Programs {
				if cost, ran := cost(own[p.ID], all[p.ID], s.times[operation]); ran {
					cost.Operation, cost.Setting, cost.Program = operation, setting, p.Name
					s.raw.Profile = append(s.raw.Profile, cost)
				}
			}
		}
	}
	s.raw.Events += int(s.core.events.Load())
	return nil
}

// counted has the worker do an operation and returns how often programs ran meanwhile. Counting makes programs run too;
// no operation at all says how often.
func (s *series) counted(operation string, times int) (map[uint32]runs, error) {
	before, err := programRuns()
	if err != nil {
		return nil, err
	}
	if _, err := s.worker.do(operation, times); err != nil {
		return nil, err
	}
	after, err := programRuns()
	for id, r := range after {
		after[id] = runs{r.count - before[id].count, r.nanoseconds - before[id].nanoseconds}
	}
	return after, err
}

// cost of a program; runs that are less than one in a hundred operations are somebody else's.
func cost(own, all runs, times int) (report.ProgramCost, bool) {
	count := float64(all.count) - float64(own.count)
	if count < float64(times)/100 {
		return report.ProgramCost{}, false
	}
	return report.ProgramCost{
		Runs:        count / float64(times),
		Nanoseconds: max(0, float64(all.nanoseconds)-float64(own.nanoseconds)) / count,
	}, true
}
