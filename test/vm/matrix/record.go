// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// growth is how much of the recorded count a program may need: a little more comes and goes with the compiler, a lot
// comes back as a refusal on somebody's kernel.
const growth = 1.05

// record is the number of instructions that the verifier processed, by kernel and program.
type record map[string]map[string]int

func readRecord(file string) (record, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read recorded instruction counts: %w", err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read recorded instruction counts: %s: %w", file, err)
	}
	return r, nil
}

func writeRecord(file string, r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write recorded instruction counts: %w", err)
	}
	return nil
}

// with replaces the counts of the kernels that told any.
func (r record) with(results []result) record {
	next := record{}
	maps.Copy(next, r)
	for _, result := range results {
		counts := map[string]int{}
		for _, p := range result.programs {
			if p.Instructions > 0 {
				counts[p.Name] = p.Instructions
			}
		}
		if len(counts) > 0 {
			next[result.String()] = counts
		}
	}
	return next
}

const remedy = "; if that is meant, record it: make matrix UPDATE=1"

// check compares one kernel's counts with the recorded ones.
func (r record) check(result result) error {
	recorded := r[result.String()]
	seen := map[string]bool{}
	var errs []error
	for _, p := range result.programs {
		seen[p.Name] = true
		before, known := recorded[p.Name]
		switch {
		case p.Instructions == 0:
		case !known:
			errs = append(errs, fmt.Errorf("%s: program %s, %d instructions, is not in the record%s", result.target, p.Name, p.Instructions, remedy))
		case float64(p.Instructions) > growth*float64(before):
			errs = append(errs, fmt.Errorf("%s: program %s: the verifier processed %d instructions, %.1f %% more than the recorded %d%s",
				result.target, p.Name, p.Instructions, 100*(float64(p.Instructions)/float64(before)-1), before, remedy))
		}
	}
	if len(result.programs) == 0 {
		return errors.Join(errs...)
	}
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		if !seen[name] {
			errs = append(errs, fmt.Errorf("%s: program %s is in the record and was not loaded%s", result.target, name, remedy))
		}
	}
	return errors.Join(errs...)
}
