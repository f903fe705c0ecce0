// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
)

// What memory is measured for: a node of the size in the issue, and the most rules that one may have.
const (
	nodePolicies   = 100
	nodeRulesEach  = 10
	largeProfiles  = 10
	largeRulesEach = 10_000
)

// weighAll measures each size in a process of its own, whose memory nothing else has used.
func weighAll() (report.Memory, error) {
	var memory report.Memory
	for _, what := range []string{"node", "rules"} {
		cmd := exec.Command("/proc/self/exe", what)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return memory, fmt.Errorf("weigh %s: %w", what, err)
		}
		if err := json.Unmarshal(out, &memory); err != nil {
			return memory, fmt.Errorf("weigh %s: %w", what, err)
		}
		logf("memory of %s: %s", what, out)
	}
	var err error
	if memory.RSS, memory.Peak, err = weighAgent(); err != nil {
		return memory, fmt.Errorf("weigh the agent: %w", err)
	}
	logf("memory of the agent: %d KiB, peak %d KiB", memory.RSS>>10, memory.Peak>>10)
	return memory, nil
}

// weigh attaches a core with and without policies, and prints what they take.
func weigh(what string) error {
	before, err := settledMapBytes()
	if err != nil {
		return err
	}
	core, err := attach(context.Background(), compile.Set{Generation: 1})
	if err != nil {
		return err
	}
	empty, err := settledMapBytes()
	if err != nil {
		return err
	}
	var found any
	if what == "node" {
		found, err = weighNode(core, empty, empty-before)
	} else {
		found, err = weighRules(core, empty)
	}
	if err != nil {
		return err
	}
	core.stop()
	return errors.Join(<-core.ended, core.core.Close(), json.NewEncoder(os.Stdout).Encode(found))
}

// weighNode: as many containers as policies, each container selected by one.
func weighNode(core *attached, empty, fixed uint64) (any, error) {
	var names []string
	for i := range nodePolicies {
		names = append(names, nodeContainer(i))
	}
	groups, err := makeCgroups(names...)
	if err != nil {
		return nil, err
	}
	var workloads []compile.Workload
	for _, name := range names {
		workloads = append(workloads, workload(groups.ids[name], name, nodeRulesEach))
	}
	if err := core.apply(compiled(workloads)); err != nil {
		return nil, err
	}
	full, err := settledMapBytes()
	if err != nil {
		return nil, err
	}
	return map[string]uint64{
		"fixedBytes": fixed, "policies": nodePolicies, "containers": nodePolicies, "rulesEach": nodeRulesEach,
		"tableBytes": full - empty,
	}, nil
}

// weighRules: ten containers, each with a policy of 10,000 rules that name files.
func weighRules(core *attached, empty uint64) (any, error) {
	var names []string
	for i := range largeProfiles {
		names = append(names, "rules-"+strconv.Itoa(i))
	}
	groups, err := makeCgroups(names...)
	if err != nil {
		return nil, err
	}
	var workloads []compile.Workload
	for _, name := range names {
		workloads = append(workloads, workload(groups.ids[name], name, largeRulesEach))
	}
	out := compiled(workloads)
	rules := 0
	for _, p := range out.Set.Profiles {
		rules += len(p.Rules)
	}
	begun := time.Now()
	if err := core.apply(out); err != nil {
		//nolint:nilerr // That the core refuses it is what there is to report.
		return map[string]any{"rules": rules, "rulesError": err.Error()}, nil
	}
	logf("%d rules were put in force in %.1f s", rules, time.Since(begun).Seconds())
	full, err := settledMapBytes()
	return map[string]any{"rules": rules, "rulesBytes": full - empty}, err
}

func (a *attached) apply(out compile.Output) error {
	out.Set.Generation = 2
	return a.core.Apply(context.Background(), out.Set)
}
