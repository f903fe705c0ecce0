// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

func TestEncodeNamesTheRuleThatCanNeverMatch(t *testing.T) {
	bad := rule(compile.ActionBlock, files, exact, "/a/../b")
	profile := compile.Profile{ID: 7, Rules: []compile.Rule{block(files, recursive, "/d/"), bad}}
	set := compile.Set{Profiles: []compile.Profile{profile}, Bindings: map[compile.Cgroup]compile.ProfileID{{ID: 1, Level: 1}: 7}}
	_, err := encode(set, table.Key{}, nil)
	var refusal *RuleError
	if !errors.As(err, &refusal) || refusal.Profile != 7 || refusal.Rule.ID != bad.ID || !strings.Contains(err.Error(), `".."`) {
		t.Errorf("got %v, want a RuleError of the rule", err)
	}
	set.Bindings = nil
	if _, err := encode(set, table.Key{}, nil); !errors.As(err, &refusal) {
		t.Errorf("in a profile that nothing is bound to: %v", err)
	}
}

func TestEncodeRefusesSetsThatDoNotHoldTogether(t *testing.T) {
	profile := compile.Profile{ID: 7, Rules: []compile.Rule{block(files, exact, "/a")}}
	cgroup := func(id, level int) compile.Cgroup {
		return compile.Cgroup{ID: compile.CgroupID(id), Level: level, Path: "/c"}
	}
	many := func(n int, at func(i int) compile.Cgroup) map[compile.Cgroup]compile.ProfileID {
		bindings := map[compile.Cgroup]compile.ProfileID{}
		for i := range n {
			bindings[at(i)] = 7
		}
		return bindings
	}
	tests := map[string]struct {
		set  compile.Set
		says string
	}{
		"a profile twice":    {compile.Set{Profiles: []compile.Profile{profile, profile}}, "twice"},
		"an unknown profile": {compile.Set{Bindings: many(1, func(int) compile.Cgroup { return cgroup(1, 1) })}, "not in the set"},
		"a cgroup without an id": {
			compile.Set{Profiles: []compile.Profile{profile}, Bindings: many(1, func(int) compile.Cgroup { return cgroup(0, 1) })}, "no id",
		},
		"a level below the root": {
			compile.Set{Profiles: []compile.Profile{profile}, Bindings: many(1, func(int) compile.Cgroup { return cgroup(1, -1) })}, "level -1",
		},
		"more levels than fit": {
			compile.Set{Profiles: []compile.Profile{profile}, Bindings: many(17, func(i int) compile.Cgroup { return cgroup(i+1, i) })},
			`table "levels" holds 16 entries and the policies need 17`,
		},
		"more cgroups than fit": {
			compile.Set{Profiles: []compile.Profile{profile}, Bindings: many(16385, func(i int) compile.Cgroup { return cgroup(i+1, 1) })},
			`table "bindings" holds 16384 entries and the policies need 16385`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := encode(test.set, table.Key{}, nil); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestABindingSummarisesItsProfile(t *testing.T) {
	owned := block(files, exact, "/owned")
	owned.Conditions = compile.ConditionOwner | compile.ConditionRead
	profile := compile.Profile{ID: 7, Rules: []compile.Rule{
		block(process, exact, "/bin/a"),
		rule(compile.ActionAudit, files, recursive, "/"),
		owned,
		rule(compile.ActionAllow, files, directory, "/etc/ssl/"),
	}, Postures: map[compile.Domain]compile.Action{files: compile.ActionAudit}, Visible: compile.DomainsOf([]string{"process"})}
	set := compile.Set{Generation: 3, Profiles: []compile.Profile{profile}, Bindings: map[compile.Cgroup]compile.ProfileID{
		{ID: 11, Level: 4}: 7, {ID: 12, Level: 2}: 7, {ID: 13, Level: 4}: 7,
	}}
	got, err := encode(set, table.Key{1, 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	buckets := uint32(len(got.layout.Buckets))
	bound := binding{Generation: 3, Profile: 7, Depths: [2]uint64{0, 1<<0 | 1<<2}, Buckets: buckets}
	bound.Domains[process] = uint8(table.DomainRules | table.DomainBlocks | table.DomainExact)
	bound.Domains[files] = uint8(table.DomainRules | table.DomainBlocks | table.DomainAudits | table.DomainExact | table.DomainDirectory)
	bound.Posture[files] = uint8(compile.ActionAudit)
	bound.Conditions[files] = uint8(owned.Conditions)
	bound.Visible = 1 << process
	header := binding{
		Generation: 3, Profile: digestOf(set.Profiles), Buckets: buckets, Count: 3, LevelCount: 2,
		Rules: uint32(got.layout.Entries), Pages: uint32(len(got.layout.Pages)),
	}
	copy(header.Levels[:], []uint8{4, 2})
	want := map[compile.CgroupID]binding{0: header, 11: bound, 12: bound, 13: bound}
	if diff := cmp.Diff(want, got.bindings, cmpopts.IgnoreUnexported(binding{})); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}

func TestTablesAreLaidOutOnlyWhenProfilesChange(t *testing.T) {
	key := table.Key{1, 2}
	set := func(generation uint64, paths ...string) compile.Set {
		s := compile.Set{Generation: generation, Bindings: map[compile.Cgroup]compile.ProfileID{}}
		for i, path := range paths {
			profile := profileOf([]compile.Rule{block(files, exact, path)})
			s.Profiles = append(s.Profiles, profile)
			s.Bindings[compile.Cgroup{ID: compile.CgroupID(i + 1), Level: 1}] = profile.ID
		}
		return s
	}
	inForce := map[compile.CgroupID]binding{}
	for _, step := range []struct {
		name   string
		set    compile.Set
		lays   bool
		tables uint32
	}{
		{"the first set is laid out", set(1, "/a"), true, 0},
		{"the same profiles are not", set(2, "/a"), false, 0},
		{"another profile more is", set(3, "/a", "/b"), true, 1},
		{"their order does not matter", set(4, "/b", "/a"), false, 1},
		{"a profile less is", set(5, "/b"), true, 0},
		{"none at all is", set(6), true, 1},
		{"none again is not", set(7), false, 1},
	} {
		next, err := encode(step.set, key, inForce)
		if err != nil {
			t.Fatal(err)
		}
		if lays := next.layout != nil; lays != step.lays {
			t.Errorf("%s: laid out %v", step.name, lays)
		}
		whole, err := encode(step.set, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		for cgroup, want := range whole.bindings {
			want.Tables = step.tables
			if diff := cmp.Diff(want, next.bindings[cgroup], cmpopts.IgnoreUnexported(binding{})); diff != "" {
				t.Errorf("%s: cgroup %d (-want +got):\n%s", step.name, cgroup, diff)
			}
		}
		inForce = next.bindings
	}
}
