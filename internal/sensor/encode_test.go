// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// The reference vector of SipHash-2-4 with 128 bits of output for no message under the key 00 01 02 ... 0f. Ours has
// fewer rounds; the rounds themselves and the constants are the same.
func TestTheHashIsMadeOfSipHashRounds(t *testing.T) {
	h := newHasher(hashKey{0x0706050403020100, 0x0f0e0d0c0b0a0908})
	rounds := func(n int) uint64 {
		for range n {
			h.round()
		}
		return h.v[0] ^ h.v[1] ^ h.v[2] ^ h.v[3]
	}
	rounds(2)
	h.v[2] ^= 0xee
	first := rounds(4)
	h.v[1] ^= 0xdd
	got := [2]uint64{first, rounds(4)}
	if want := [2]uint64{0xe6a825ba047f81a3, 0x930255c71472f66d}; got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestPathsThatDifferHashApart(t *testing.T) {
	key := hashKey{3, 4}
	seen := map[[2]uint64]string{}
	for _, path := range []string{"/", "/a", "/a/", "/a/b", "/ab", "/ab/", "/a/b/", "/abcdefgh", "/abcdefgh/", "/abcdefg/", "/abcdefg/a", "//a"} {
		sum := hashPath(key, path)
		if other, ok := seen[sum]; ok {
			t.Errorf("%q and %q have one hash", path, other)
		}
		seen[sum] = path
		if sum == hashPath(hashKey{3, 5}, path) {
			t.Errorf("the hash of %q does not depend on the key", path)
		}
	}
}

func TestEncodeRefusesWhatCanNeverMatch(t *testing.T) {
	good := rule(compile.ActionBlock, files, exact, "/a")
	tests := map[string]struct {
		change func(*compile.Rule)
		says   string
	}{
		"a relative path":                      {func(r *compile.Rule) { r.Path = "a" }, "not absolute"},
		"an empty path":                        {func(r *compile.Rule) { r.Path = "" }, "not absolute"},
		"a path with a slash at its end":       {func(r *compile.Rule) { r.Path = "/a/" }, "without a slash"},
		"a directory without one":              {func(r *compile.Rule) { r.Match = directory }, "ends in a slash"},
		"two slashes":                          {func(r *compile.Rule) { r.Path = "/a//b" }, `component ""`},
		"a dot":                                {func(r *compile.Rule) { r.Path = "/a/./b" }, `component "."`},
		"two dots":                             {func(r *compile.Rule) { r.Path = "/a/../b" }, `component ".."`},
		"a zero byte":                          {func(r *compile.Rule) { r.Path = "/a\x00" }, "zero byte"},
		"a component that is too long":         {func(r *compile.Rule) { r.Path = "/" + strings.Repeat("n", 256) }, "255 bytes"},
		"a path that is too long":              {func(r *compile.Rule) { r.Path = strings.Repeat("/n", 2049) }, "4096 bytes"},
		"a domain that is not the core's":      {func(r *compile.Rule) { r.Domain = 3 }, "domain 3"},
		"an action that is none":               {func(r *compile.Rule) { r.Action = compile.ActionNone }, "action 0"},
		"a match that is not the core's":       {func(r *compile.Rule) { r.Match = 4 }, "match 4"},
		"the id of unresolved paths":           {func(r *compile.Rule) { r.ID = RuleUnresolved }, "reserved"},
		"the same path as another rule's":      {func(r *compile.Rule) {}, "another rule"},
		"the same directory as another rule's": {func(r *compile.Rule) { r.Match, r.Path = recursive, "/d/" }, "another rule"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bad := good
			test.change(&bad)
			profile := compile.Profile{ID: 7, Rules: []compile.Rule{good, block(files, recursive, "/d/"), bad}}
			_, err := encode(compile.Set{Profiles: []compile.Profile{profile}}, hashKey{})
			var refusal *RuleError
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want a RuleError that says %q", err, test.says)
			}
		})
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
			if _, err := encode(test.set, hashKey{}); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestABindingSummarisesItsProfile(t *testing.T) {
	profile := compile.Profile{ID: 7, Rules: []compile.Rule{
		block(process, exact, "/bin/a"),
		rule(compile.ActionAudit, files, recursive, "/"),
		rule(compile.ActionAllow, files, directory, "/etc/ssl/"),
		rule(compile.ActionAllow, files, recursive, strings.Repeat("/d", 70)+"/"),
	}}
	set := compile.Set{Generation: 3, Profiles: []compile.Profile{profile}, Bindings: map[compile.Cgroup]compile.ProfileID{
		{ID: 11, Level: 4}: 7, {ID: 12, Level: 2}: 7, {ID: 13, Level: 4}: 7,
	}}
	got, err := encode(set, hashKey{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	bound := binding{
		Generation: 3, Profile: 7,
		Depths: [2]uint64{0, 1<<0 | 1<<2 | 1<<63},
		Flags:  1<<1 | 1<<9 | 1<<25 | 1<<2 | 1<<18,
	}
	header := binding{Generation: 3, Count: 3, LevelCount: 2}
	copy(header.Levels[:], []uint8{4, 2})
	want := map[compile.CgroupID]binding{0: header, 11: bound, 12: bound, 13: bound}
	if diff := cmp.Diff(want, got.bindings, cmpopts.IgnoreUnexported(binding{})); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	if n := got.ruleCount(); n != 5 {
		t.Errorf("%d rules, want 4 and the mark", n)
	}
}

func TestPlanSwitch(t *testing.T) {
	key := hashKey{1, 2}
	profile := func(id int, paths ...string) compile.Profile {
		p := compile.Profile{ID: compile.ProfileID(id)}
		for _, path := range paths {
			p.Rules = append(p.Rules, block(files, exact, path))
		}
		return p
	}
	rulesOf := func(profiles ...compile.Profile) map[ruleKey]ruleValue {
		all := map[ruleKey]ruleValue{}
		for _, p := range profiles {
			rules, _, err := encodeProfile(p, key)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range rules {
				all[k] = v
			}
		}
		return all
	}
	half := rulesOf(profile(4, "/h1", "/h2"))
	delete(half, profileKey(4))
	one, two, three := profile(1, "/a"), profile(2, "/b", "/c"), profile(3, "/d")
	tests := map[string]struct {
		held    map[ruleKey]ruleValue
		inForce []int
		next    []compile.Profile
		want    string
	}{
		"nothing to nothing":                            {nil, nil, nil, "delete 0, write 0, delete 0 after, need 0"},
		"the first set is written":                      {nil, nil, []compile.Profile{one, two}, "delete 0, write 5, delete 0 after, need 5"},
		"an unchanged profile costs nothing":            {rulesOf(one, two), []int{1, 2}, []compile.Profile{one, two}, "delete 0, write 0, delete 0 after, need 5"},
		"a changed one is written, and deleted after":   {rulesOf(one, two), []int{1, 2}, []compile.Profile{one, three}, "delete 0, write 2, delete 3 after, need 7"},
		"what nobody uses is deleted first":             {rulesOf(one, two), []int{1}, []compile.Profile{one}, "delete 3, write 0, delete 0 after, need 2"},
		"what a dead agent wrote whole is used":         {rulesOf(one, two), []int{1}, []compile.Profile{two}, "delete 0, write 0, delete 2 after, need 5"},
		"what it wrote half is deleted":                 {half, nil, []compile.Profile{one}, "delete 2, write 2, delete 0 after, need 2"},
		"what it wrote half and is wanted is rewritten": {half, nil, []compile.Profile{profile(4, "/h1", "/h2")}, "delete 2, write 3, delete 0 after, need 3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inForce := map[compile.CgroupID]binding{0: {Profile: 0}}
			for i, id := range test.inForce {
				inForce[compile.CgroupID(i+1)] = binding{Profile: uint64(id)}
			}
			next, err := encode(compile.Set{Profiles: test.next}, key)
			if err != nil {
				t.Fatal(err)
			}
			p, err := planSwitch(test.held, inForce, next)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("delete %d, write %d, delete %d after, need %d", len(p.leftovers), len(p.write), len(p.stale), p.need)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if slices.ContainsFunc(p.stale, func(k ruleKey) bool { _, ok := p.write[k]; return ok }) {
				t.Error("a rule is written and then deleted")
			}
		})
	}
	next, err := encode(compile.Set{Profiles: []compile.Profile{profile(1, "/other")}}, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := planSwitch(rulesOf(one), nil, next); err == nil || !strings.Contains(err.Error(), "must name the content") {
		t.Errorf("another content under the same id: %v", err)
	}
}
