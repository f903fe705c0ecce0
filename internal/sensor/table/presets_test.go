// SPDX-License-Identifier: Apache-2.0

package table

import (
	"strings"
	"testing"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func presetOf(action compile.Action, name string) compile.Rule {
	return rule(5, action, 0, compile.MatchPreset, name)
}

func TestAPresetIsAFlagAndARule(t *testing.T) {
	key := Key{1, 2}
	b := NewBuilder(key)
	s, err := b.AddProfile(compile.Profile{ID: 7, Rules: []compile.Rule{
		presetOf(block, "filelessExec"), presetOf(audit, "exec"), rule(6, block, files, compile.MatchPath, "/a"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := DomainFlags(1<<1 | 1<<5); s.Domains[0] != want || s.Domains[files] != DomainRules|DomainBlocks|DomainExact {
		t.Errorf("flags %#x and %#x, want %#x", s.Domains[0], s.Domains[files], want)
	}
	tables, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[uint64]compile.Action{1: block, 5: audit, 2: 0} {
		h := NewHasher(key)
		h.Word(code)
		if e, _ := tables.Lookup(h.Select(Selector{Profile: 7, Kind: KindPreset})); e.Action != want {
			t.Errorf("preset %d: %+v, want action %d", code, e, want)
		}
	}
}

func TestEveryPresetOfTheSchemaHasACode(t *testing.T) {
	seen := map[uint8]bool{}
	for _, name := range []securityv1.PresetName{
		securityv1.PresetFilelessExec, securityv1.PresetAnonymousMapExec, securityv1.PresetProtectEnv, securityv1.PresetProtectProc,
		securityv1.PresetExec,
	} {
		code, known := presetCode(string(name))
		if !known || seen[code] || code > 7 {
			t.Errorf("%s has code %d, known %v", name, code, known)
		}
		seen[code] = true
	}
}

func TestPresetsThatTheCoreDoesNotKnow(t *testing.T) {
	for name, tt := range map[string]struct {
		rule compile.Rule
		want string
	}{
		"an unknown name":          {presetOf(block, "exek"), "no such preset"},
		"an action that does none": {presetOf(allow, "exec"), "allows nothing"},
		"a source":                 {with(presetOf(block, "exec"), "/s", 0), "neither sources nor conditions"},
		"a condition":              {with(presetOf(block, "exec"), "", compile.ConditionRead), "neither sources nor conditions"},
		"no preset":                {rule(5, block, 0, compile.MatchPath, "/a"), "no domain"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewBuilder(Key{}).AddProfile(compile.Profile{ID: 7, Rules: []compile.Rule{tt.rule}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
