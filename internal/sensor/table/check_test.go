// SPDX-License-Identifier: Apache-2.0

package table

import (
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func TestWhatCanNeverMatchIsRefused(t *testing.T) {
	good := rule(1, block, files, compile.MatchPath, "/a")
	tests := map[string]struct {
		change func(*compile.Rule)
		says   string
	}{
		"a relative path":                    {func(r *compile.Rule) { r.Path = "a" }, "not absolute"},
		"an empty path":                      {func(r *compile.Rule) { r.Path = "" }, "not absolute"},
		"a path with a slash at its end":     {func(r *compile.Rule) { r.Path = "/a/" }, "without a slash"},
		"a directory without one":            {func(r *compile.Rule) { r.Match = compile.MatchDirectory }, "ends in a slash"},
		"two slashes":                        {func(r *compile.Rule) { r.Path = "/a//b" }, `component ""`},
		"a dot":                              {func(r *compile.Rule) { r.Path = "/a/./b" }, `component "."`},
		"two dots":                           {func(r *compile.Rule) { r.Path = "/a/../b" }, `component ".."`},
		"a zero byte":                        {func(r *compile.Rule) { r.Path = "/a\x00" }, "zero byte"},
		"a component that is too long":       {func(r *compile.Rule) { r.Path = "/" + strings.Repeat("n", 256) }, "255 bytes"},
		"a path that is too long":            {func(r *compile.Rule) { r.Path = strings.Repeat("/n", 2049) }, "4096 bytes"},
		"a domain that is not the core's":    {func(r *compile.Rule) { r.Domain = policy.DomainDevice }, "domain 7"},
		"an action that is none":             {func(r *compile.Rule) { r.Action = compile.ActionNone }, "action 0"},
		"a match that is none":               {func(r *compile.Rule) { r.Match = 0 }, "match 0"},
		"a match of another domain":          {func(r *compile.Rule) { r.Match = compile.MatchCapability }, "match 7"},
		"a base name of a file":              {func(r *compile.Rule) { r.Match, r.Path = compile.MatchExecName, "a" }, "match 4"},
		"a base name with a slash":           {func(r *compile.Rule) { r.Domain, r.Match = process, compile.MatchExecName }, `component "/a"`},
		"the id of unresolved paths":         {func(r *compile.Rule) { r.ID = RuleUnresolved }, "reserved"},
		"the id of postures":                 {func(r *compile.Rule) { r.ID = RulePosture }, "reserved"},
		"a relative source":                  {func(r *compile.Rule) { r.Source = "s" }, "its source: it is not absolute"},
		"a source that is a directory":       {func(r *compile.Rule) { r.Source = "/s/" }, "its source"},
		"a pattern with a source":            {func(r *compile.Rule) { r.Match, r.Source = compile.MatchPattern, "/s" }, "patterns have no sources"},
		"a pattern without an automaton":     {func(r *compile.Rule) { r.Match = compile.MatchPattern }, "no automaton"},
		"arguments of a file":                {func(r *compile.Rule) { r.Conditions = compile.ConditionArguments }, "condition 0x8"},
		"arguments without the condition":    {func(r *compile.Rule) { r.Arguments = []string{"a"} }, "no condition"},
		"an argument with a zero byte":       {func(r *compile.Rule) { *r = with(*r, "", compile.ConditionArguments, "\x00") }, "zero byte"},
		"a condition that is not the core's": {func(r *compile.Rule) { r.Conditions = 1 << 7 }, "condition 0x80"},
		"an owner of a socket":               {func(r *compile.Rule) { *r = with(rule(1, block, network, compile.MatchProtocol, "tcp"), "", 1) }, "condition 0x1"},
		"a terminal of a capability":         {func(r *compile.Rule) { *r = with(rule(1, block, caps, compile.MatchCapability, "kill"), "", 4) }, "condition 0x4"},
		"an unknown protocol":                {func(r *compile.Rule) { *r = rule(1, block, network, compile.MatchProtocol, "TCP") }, "no such protocol"},
		"an unknown capability":              {func(r *compile.Rule) { *r = rule(1, block, caps, compile.MatchCapability, "cap_kill") }, "no such capability"},
		"a system call that is blocked":      {func(r *compile.Rule) { *r = rule(1, block, compile.DomainSyscalls, compile.MatchSyscall, "bpf") }, "only audited"},
		"one that there is not":              {func(r *compile.Rule) { *r = call(1, "bfp", "") }, "no machine"},
		"one by a relative directory":        {func(r *compile.Rule) { *r = call(1, "bpf", "d/") }, "its source: it is not absolute"},
		"one with another match":             {func(r *compile.Rule) { r.Domain = compile.DomainSyscalls }, "match 1"},
		"a path of the network":              {func(r *compile.Rule) { r.Domain = network }, "match 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bad := good
			test.change(&bad)
			b := NewBuilder(Key{})
			_, err := b.AddProfile(compile.Profile{ID: 7, Rules: []compile.Rule{good, bad}})
			var refusal *Problem
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want a Problem that says %q", err, test.says)
			}
			if diff := gocmp.Diff(bad, refusal.Rule); diff != "" {
				t.Errorf("another rule is named (-want +got):\n%s", diff)
			}
			if b.Entries() != 0 {
				t.Errorf("%d entries are there", b.Entries())
			}
		})
	}
}

func TestAChainHasAnEnd(t *testing.T) {
	var rules []compile.Rule
	for i := range compile.MaxVariants + 1 {
		rules = append(rules, rule(i+1, block, files, compile.MatchDirectory+compile.Match(i%2), "/d/"))
	}
	if _, err := NewBuilder(Key{}).AddProfile(compile.Profile{ID: 7, Rules: rules[1:]}); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	_, err := NewBuilder(Key{}).AddProfile(compile.Profile{ID: 7, Rules: rules})
	if err == nil || !strings.Contains(err.Error(), "more than 8 rules") {
		t.Errorf("one more: %v", err)
	}
}

func TestProfilesThatDoNotHoldTogetherAreRefused(t *testing.T) {
	star := rule(1, block, files, compile.MatchPattern, "/*")
	held := func(change func(*compile.Patterns)) map[compile.Domain]compile.Patterns {
		p := patternsOf(t, [][]int{{0}}, "/*")
		change(&p)
		return map[compile.Domain]compile.Patterns{files: p}
	}
	tests := map[string]struct {
		profile compile.Profile
		says    string
	}{
		"a posture of a domain that is none": {compile.Profile{Postures: map[compile.Domain]compile.Action{0: block}}, "no posture Block in domain none"},
		"a posture of system calls":          {compile.Profile{Postures: map[compile.Domain]compile.Action{policy.DomainSyscalls: block}}, "domain syscalls"},
		"a posture that is none":             {compile.Profile{Postures: map[compile.Domain]compile.Action{files: 0}}, "no posture None"},
		"patterns of the network":            {compile.Profile{Patterns: map[compile.Domain]compile.Patterns{network: {}}}, "only processes and files"},
		"no automaton":                       {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Automaton = nil })}, "no automaton"},
		"too few outcomes":                   {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Outcomes = nil })}, "0 outcomes for 1 sets"},
		"an empty outcome":                   {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Outcomes[0] = nil })}, "0 rules"},
		"an outcome of nine rules":           {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Outcomes[0] = make([]int, 9) })}, "9 rules"},
		"an index of no rule":                {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Outcomes[0][0] = 1 })}, "index 1"},
		"a state that is not there":          {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Automaton.Next[0] = 99 })}, "state"},
		"a class that is not there":          {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Automaton.Classes[0] = 99 })}, "class"},
		"a set that is not there":            {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Automaton.Accept[0] = 2 })}, "set"},
		"an automaton of no size":            {compile.Profile{Rules: []compile.Rule{star}, Patterns: held(func(p *compile.Patterns) { p.Automaton.Columns++ })}, "sizes"},
		"an outcome of a rule of another kind": {
			compile.Profile{Rules: []compile.Rule{rule(1, block, files, compile.MatchPath, "/a")}, Patterns: held(func(*compile.Patterns) {})}, "index 0",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewBuilder(Key{}).AddProfile(test.profile)
			var refusal *Problem
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want a Problem that says %q", err, test.says)
			}
		})
	}
}
