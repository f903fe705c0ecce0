// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/kubearmor/kubearmor-operator/bpf/file"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// binding crosses to the kernel; it is the same in every object of the core.
type binding = file.FileBinding

// Limits of the table of bindings.
const (
	maxBindings = 16384
	maxLevels   = len(binding{}.Levels)
	maxLevel    = 255
)

// RuleError names a rule that can never match, or that the core does not know.
type RuleError struct {
	Profile compile.ProfileID
	// Rule is empty where the profile as a whole cannot be.
	Rule    compile.Rule
	Problem string
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("rule %#x of profile %#x, path %q: %s", uint64(e.Rule.ID), uint64(e.Profile), e.Rule.Path, e.Problem)
}

// generation is a set as the kernel will hold it.
type generation struct {
	// bindings by cgroup; cgroup 0 is their header.
	bindings map[compile.CgroupID]binding
	// layout of the profiles, for the tables that the bindings name; nil where those in force hold the same profiles.
	layout *table.Tables
}

// encode is pure: the same set, key and bindings in force give the same generation.
func encode(set compile.Set, key table.Key, inForce map[compile.CgroupID]binding) (generation, error) {
	profiles, err := sortedProfiles(set)
	if err != nil {
		return generation{}, err
	}
	header, applied := inForce[0]
	next := binding{Profile: digestOf(profiles), Tables: header.Tables, Buckets: header.Buckets, Rules: header.Rules, Pages: header.Pages}
	g := generation{bindings: make(map[compile.CgroupID]binding, len(set.Bindings)+1)}
	summaries := byProfile(inForce)
	if !applied || header.Profile != next.Profile || !haveAll(set, summaries) {
		if applied {
			next.Tables = 1 - header.Tables
		}
		if summaries, g.layout, err = layOut(profiles, key); err != nil {
			return generation{}, err
		}
		next.Buckets, next.Rules, next.Pages = uint32(len(g.layout.Buckets)), uint32(g.layout.Entries), uint32(len(g.layout.Pages))
	}
	if err := g.bind(set, summaries, next); err != nil {
		return generation{}, err
	}
	return g, nil
}

// sortedProfiles are the set's, by their ids.
func sortedProfiles(set compile.Set) ([]compile.Profile, error) {
	profiles := slices.Clone(set.Profiles)
	slices.SortFunc(profiles, func(a, b compile.Profile) int { return cmp.Compare(a.ID, b.ID) })
	seen := make(map[compile.ProfileID]bool, len(profiles))
	for i := range profiles {
		if seen[profiles[i].ID] {
			return nil, fmt.Errorf("profile %#x is in the set twice", uint64(profiles[i].ID))
		}
		seen[profiles[i].ID] = true
	}
	for cgroup, id := range set.Bindings {
		if !seen[id] {
			return nil, fmt.Errorf("cgroup %s is bound to profile %#x, which is not in the set", cgroup.Path, uint64(id))
		}
	}
	return profiles, nil
}

// haveAll says whether every profile that a cgroup is bound to has a summary.
func haveAll(set compile.Set, summaries map[compile.ProfileID]binding) bool {
	for _, id := range set.Bindings {
		if _, ok := summaries[id]; !ok {
			return false
		}
	}
	return true
}

// digestOf names what tables hold: profiles are named by their content.
func digestOf(profiles []compile.Profile) uint64 {
	var ids []byte
	for i := range profiles {
		ids = binary.LittleEndian.AppendUint64(ids, uint64(profiles[i].ID))
	}
	sum := sha256.Sum256(ids)
	return binary.LittleEndian.Uint64(sum[:])
}

func byProfile(inForce map[compile.CgroupID]binding) map[compile.ProfileID]binding {
	summaries := make(map[compile.ProfileID]binding, len(inForce))
	for cgroup, b := range inForce {
		if cgroup != 0 {
			summaries[compile.ProfileID(b.Profile)] = b
		}
	}
	return summaries
}

func layOut(profiles []compile.Profile, key table.Key) (map[compile.ProfileID]binding, *table.Tables, error) {
	summaries := make(map[compile.ProfileID]binding, len(profiles))
	builder := table.NewBuilder(key)
	for i := range profiles {
		summary, err := builder.AddProfile(profiles[i])
		if err != nil {
			return nil, nil, layoutError(profiles[i].ID, err)
		}
		summaries[profiles[i].ID] = summarised(summary, profiles[i])
	}
	layout, err := builder.Build()
	return summaries, layout, layoutError(0, err)
}

// layoutError gives errors of package table the types of this one.
func layoutError(profile compile.ProfileID, err error) error {
	var full *table.FullError
	var problem *table.Problem
	switch {
	case errors.As(err, &full):
		return &TableFullError{Table: full.Table, Need: full.Need, Capacity: full.Capacity, Folders: full.Folders}
	case errors.As(err, &problem):
		return &RuleError{Profile: profile, Rule: problem.Rule, Problem: problem.Text}
	}
	return err
}

// summarised is what the kernel must know of a profile before it looks at a rule.
func summarised(s table.Summary, p compile.Profile) binding {
	b := binding{Profile: uint64(s.Profile), Depths: s.Depths, Names: s.Names, Calls: s.Calls, CallDepths: s.CallDepths}
	for i, placed := range s.Automata {
		b.Automaton[i], b.Start[i] = placed.Classes, placed.Start
	}
	for domain := range b.Domains {
		b.Domains[domain], b.Posture[domain] = uint8(s.Domains[domain]), uint8(s.Postures[domain])
	}
	b.Visible = uint32(p.Visible)
	for i := range p.Rules {
		b.Conditions[p.Rules[i].Domain] |= uint8(p.Rules[i].Conditions)
	}
	return b
}

// bind adds the bindings and, as cgroup 0, their header.
func (g generation) bind(set compile.Set, summaries map[compile.ProfileID]binding, header binding) error {
	header.Generation = set.Generation
	var levels []uint8
	for cgroup, profile := range set.Bindings {
		switch {
		case cgroup.ID == 0:
			return fmt.Errorf("cgroup %s has no id", cgroup.Path)
		case cgroup.Level < 0 || cgroup.Level > maxLevel:
			return fmt.Errorf("cgroup %s has level %d; the core knows 0 to %d", cgroup.Path, cgroup.Level, maxLevel)
		}
		b := summaries[profile]
		b.Generation, b.Tables, b.Buckets = header.Generation, header.Tables, header.Buckets
		g.bindings[cgroup.ID] = b
		levels = append(levels, uint8(cgroup.Level))
	}
	return g.head(header, levels)
}

func (g generation) head(header binding, levels []uint8) error {
	if len(g.bindings) > maxBindings {
		return &TableFullError{Table: tableBindings, Need: len(g.bindings), Capacity: maxBindings}
	}
	header.Count = uint32(len(g.bindings))
	slices.SortFunc(levels, func(a, b uint8) int { return int(b) - int(a) })
	levels = slices.Compact(levels)
	if len(levels) > maxLevels {
		return &TableFullError{Table: tableLevels, Need: len(levels), Capacity: maxLevels}
	}
	header.LevelCount = uint32(copy(header.Levels[:], levels))
	g.bindings[0] = header
	return nil
}
