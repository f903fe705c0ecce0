// SPDX-License-Identifier: Apache-2.0

package table

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

const (
	process = compile.DomainProcess
	files   = compile.DomainFile
	network = compile.DomainNetwork
	caps    = compile.DomainCapabilities
)

const (
	allow = compile.ActionAllow
	audit = compile.ActionAudit
	block = compile.ActionBlock
)

func rule(id int, action compile.Action, domain compile.Domain, match compile.Match, path string) compile.Rule {
	return compile.Rule{ID: compile.RuleID(id), Domain: domain, Match: match, Action: action, Path: path}
}

// with gives a rule a source, conditions and arguments.
func with(r compile.Rule, source string, conditions compile.Conditions, arguments ...string) compile.Rule {
	r.Source, r.Conditions, r.Arguments = source, conditions, arguments
	return r
}

// asked is one look-up, by what was read and what is asked.
type asked struct {
	kind    Kind
	domain  compile.Domain
	subject string
	variant uint16
	source  uint32
}

// find looks up in the tables of one profile with the id 7. The subject of a pattern, protocol or capability is its
// code; of an argument it is the argument and the rule's id, with a colon between them.
func find(tables *Tables, key Key, a asked) (Entry, bool) {
	h := NewHasher(key)
	switch a.kind {
	case KindExecName:
		h.Bytes(a.subject)
	case KindPattern, KindProtocol, KindCapability:
		h.Word(number(a.subject))
	case KindArgument:
		argument, id, _ := strings.Cut(a.subject, ":")
		h.Bytes(argument)
		h.Word(number(id))
	default:
		h.Path(a.subject)
	}
	return tables.Lookup(h.Select(Selector{Profile: 7, Domain: a.domain, Kind: a.kind, Variant: a.variant, Source: a.source}))
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func patternsOf(t testing.TB, outcomes [][]int, patterns ...string) compile.Patterns {
	return compile.Patterns{Automaton: automatonOf(t, patterns...), Outcomes: outcomes}
}

func TestTheEntriesOfAProfile(t *testing.T) {
	owner, read := compile.ConditionOwner, compile.ConditionRead
	const more, direct = FlagMore, FlagDirect
	tests := map[string]struct {
		rules    []compile.Rule
		patterns map[compile.Domain]compile.Patterns
		want     map[asked]Entry
	}{
		"nothing": {},
		"an exact path": {
			rules: []compile.Rule{rule(1, audit, process, compile.MatchPath, "/bin/a")},
			want:  map[asked]Entry{{KindExact, process, "/bin/a", 0, 0}: {ID: 1, Action: audit}},
		},
		"rules that compete are a chain in their order": {
			rules: []compile.Rule{
				with(rule(3, block, files, compile.MatchPath, "/a"), "", owner),
				rule(2, allow, process, compile.MatchPath, "/a"),
				with(rule(9, block, files, compile.MatchPath, "/a"), "", read),
				rule(1, allow, files, compile.MatchPath, "/a"),
			},
			want: map[asked]Entry{
				{KindExact, files, "/a", 0, 0}:   {ID: 3, Action: block, Conditions: owner, Flags: more},
				{KindExact, files, "/a", 1, 0}:   {ID: 9, Action: block, Conditions: read, Flags: more},
				{KindExact, files, "/a", 2, 0}:   {ID: 1, Action: allow},
				{KindExact, process, "/a", 0, 0}: {ID: 2, Action: allow},
				{KindAncestor, files, "/", 0, 0}: {ID: 3, Action: block},
			},
		},
		"plain and recursive rules of one directory are one chain": {
			rules: []compile.Rule{
				rule(1, audit, files, compile.MatchDirectory, "/d/"),
				rule(2, allow, files, compile.MatchRecursive, "/d/"),
				rule(3, allow, files, compile.MatchRecursive, "/"),
			},
			want: map[asked]Entry{
				{KindDirectory, files, "/d/", 0, 0}: {ID: 1, Action: audit, Flags: direct | more},
				{KindDirectory, files, "/d/", 1, 0}: {ID: 2, Action: allow},
				{KindDirectory, files, "/", 0, 0}:   {ID: 3, Action: allow},
			},
		},
		"a base name": {
			rules: []compile.Rule{rule(1, block, process, compile.MatchExecName, "sleep")},
			want:  map[asked]Entry{{KindExecName, process, "sleep", 0, 0}: {ID: 1, Action: block}},
		},
		"sources are classes in the order of their paths, in all domains": {
			rules: []compile.Rule{
				with(rule(1, audit, files, compile.MatchPath, "/a"), "/usr/bin/z", 0),
				with(rule(2, audit, files, compile.MatchPath, "/a"), "/usr/bin/a", 0),
				with(rule(3, audit, network, compile.MatchProtocol, "tcp"), "/usr/bin/a", 0),
				with(rule(4, audit, process, compile.MatchExecName, "sh"), "/usr/bin/z", 0),
				rule(5, audit, files, compile.MatchPath, "/a"),
			},
			want: map[asked]Entry{
				{KindSource, 0, "/usr/bin/a", 0, 0}: {Value: 1},
				{KindSource, 0, "/usr/bin/z", 0, 0}: {Value: 2},
				{KindExact, files, "/a", 0, 2}:      {ID: 1, Action: audit},
				{KindExact, files, "/a", 0, 1}:      {ID: 2, Action: audit},
				{KindProtocol, network, "1", 0, 1}:  {ID: 3, Action: audit},
				{KindExecName, process, "sh", 0, 2}: {ID: 4, Action: audit},
				{KindExact, files, "/a", 0, 0}:      {ID: 5, Action: audit},
			},
		},
		"arguments are the rule's, once for each id": {
			rules: []compile.Rule{
				with(rule(1, allow, process, compile.MatchPath, "/a"), "", compile.ConditionArguments, "-l", "", "a longer one", "-l"),
				with(rule(1, allow, process, compile.MatchPath, "/b"), "", compile.ConditionArguments, "-l", "", "a longer one"),
				with(rule(2, allow, process, compile.MatchPath, "/c"), "", compile.ConditionArguments),
			},
			want: map[asked]Entry{
				{KindExact, process, "/a", 0, 0}:                {ID: 1, Action: allow, Conditions: compile.ConditionArguments},
				{KindExact, process, "/b", 0, 0}:                {ID: 1, Action: allow, Conditions: compile.ConditionArguments},
				{KindExact, process, "/c", 0, 0}:                {ID: 2, Action: allow, Conditions: compile.ConditionArguments},
				{KindArgument, process, "-l:1", 0, 0}:           {ID: 1, Action: allow},
				{KindArgument, process, ":1", 0, 0}:             {ID: 1, Action: allow},
				{KindArgument, process, "a longer one:1", 0, 0}: {ID: 1, Action: allow},
			},
		},
		"protocols and capabilities by their codes": {
			rules: []compile.Rule{
				rule(1, block, network, compile.MatchProtocol, "tcp"), rule(2, block, network, compile.MatchProtocol, "all"),
				rule(3, block, caps, compile.MatchCapability, "chown"), rule(4, allow, caps, compile.MatchCapability, "checkpoint_restore"),
				rule(5, allow, caps, compile.MatchCapability, "net_raw"), rule(6, audit, network, compile.MatchProtocol, "raw"),
			},
			want: map[asked]Entry{
				{KindProtocol, network, "1", 0, 0}:  {ID: 1, Action: block},
				{KindProtocol, network, "13", 0, 0}: {ID: 2, Action: block},
				{KindProtocol, network, "7", 0, 0}:  {ID: 6, Action: audit},
				{KindCapability, caps, "0", 0, 0}:   {ID: 3, Action: block},
				{KindCapability, caps, "40", 0, 0}:  {ID: 4, Action: allow},
				{KindCapability, caps, "13", 0, 0}:  {ID: 5, Action: allow},
			},
		},
		"every directory below which a Block rule names something, once": {
			rules: []compile.Rule{
				rule(1, block, files, compile.MatchPath, "/a/b/c"),
				rule(2, block, files, compile.MatchRecursive, "/a/d/"),
				rule(3, audit, files, compile.MatchPath, "/x/y"),
				rule(4, block, process, compile.MatchDirectory, "/a/"),
				with(rule(5, block, files, compile.MatchPath, "/a/s"), "/bin/s", 0),
				rule(6, block, files, compile.MatchPath, "/a/b/d"),
			},
			want: map[asked]Entry{
				{KindSource, 0, "/bin/s", 0, 0}:       {Value: 1},
				{KindExact, files, "/a/b/c", 0, 0}:    {ID: 1, Action: block},
				{KindDirectory, files, "/a/d/", 0, 0}: {ID: 2, Action: block},
				{KindExact, files, "/x/y", 0, 0}:      {ID: 3, Action: audit},
				{KindDirectory, process, "/a/", 0, 0}: {ID: 4, Action: block, Flags: direct},
				{KindExact, files, "/a/s", 0, 1}:      {ID: 5, Action: block},
				{KindExact, files, "/a/b/d", 0, 0}:    {ID: 6, Action: block},
				{KindAncestor, files, "/", 0, 0}:      {ID: 1, Action: block},
				{KindAncestor, files, "/a/", 0, 0}:    {ID: 1, Action: block},
				{KindAncestor, files, "/a/b/", 0, 0}:  {ID: 1, Action: block},
				{KindAncestor, files, "/a/d/", 0, 0}:  {ID: 2, Action: block},
				{KindAncestor, process, "/", 0, 0}:    {ID: 4, Action: block},
				{KindAncestor, process, "/a/", 0, 0}:  {ID: 4, Action: block},
				{KindAncestor, files, "/", 0, 1}:      {ID: 5, Action: block},
				{KindAncestor, files, "/a/", 0, 1}:    {ID: 5, Action: block},
			},
		},
		"patterns are chains by accept id": {
			rules: []compile.Rule{
				rule(1, allow, files, compile.MatchPattern, "/a*"),
				with(rule(2, block, files, compile.MatchPattern, "/*"), "", owner),
				rule(3, audit, process, compile.MatchPattern, "/*"),
			},
			patterns: map[compile.Domain]compile.Patterns{
				files:   patternsOf(t, [][]int{{1}, {1, 0}}, "/a*", "/*"),
				process: patternsOf(t, [][]int{{2}}, "/*"),
			},
			want: map[asked]Entry{
				{KindPattern, files, "1", 0, 0}:   {ID: 2, Action: block, Conditions: owner},
				{KindPattern, files, "2", 0, 0}:   {ID: 2, Action: block, Conditions: owner, Flags: more},
				{KindPattern, files, "2", 1, 0}:   {ID: 1, Action: allow},
				{KindPattern, process, "1", 0, 0}: {ID: 3, Action: audit},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			key := Key{5, 6}
			b := NewBuilder(key)
			if _, err := b.AddProfile(compile.Profile{ID: 7, Rules: test.rules, Patterns: test.patterns}); err != nil {
				t.Fatal(err)
			}
			tables := built(t, b)
			for a, want := range test.want {
				got, ok := find(tables, key, a)
				if diff := gocmp.Diff(want, got); diff != "" || !ok {
					t.Errorf("%+v: found %v (-want +got):\n%s", a, ok, diff)
				}
			}
			if tables.Entries != len(test.want) || b.Entries() != len(test.want) {
				t.Errorf("%d entries, want %d", tables.Entries, len(test.want))
			}
		})
	}
}

func TestASummaryTellsTheCoreWhereToLook(t *testing.T) {
	profile := compile.Profile{
		ID: 7,
		Rules: []compile.Rule{
			rule(1, block, process, compile.MatchPath, "/bin/a"),
			rule(2, allow, process, compile.MatchExecName, "a"),
			rule(3, audit, files, compile.MatchRecursive, "/"),
			rule(4, allow, files, compile.MatchDirectory, "/etc/ssl/"),
			rule(5, allow, files, compile.MatchRecursive, strings.Repeat("/d", 70)+"/"),
			with(rule(6, block, files, compile.MatchPattern, "/a*"), "", compile.ConditionOwner),
			with(rule(7, audit, network, compile.MatchProtocol, "tcp"), "/bin/s", 0),
		},
		Postures: map[compile.Domain]compile.Action{process: audit, files: allow, caps: audit},
		Patterns: map[compile.Domain]compile.Patterns{files: patternsOf(t, [][]int{{5}}, "/a*")},
		Visible:  compile.DomainsOf([]string{"dns", "file"}),
	}
	got, err := NewBuilder(Key{}).AddProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{
		Profile:  7,
		Depths:   [2]uint64{0, 1<<0 | 1<<2 | 1<<63},
		Automata: [2]Placed{{}, {1, 65}},
	}
	want.Domains[process] = DomainRules | DomainBlocks | DomainExact | DomainExecName
	want.Domains[files] = DomainRules | DomainBlocks | DomainAudits | DomainDirectory | DomainPatterns
	want.Domains[network] = DomainRules | DomainAudits | DomainSources
	want.Domains[caps], want.Domains[compile.DomainDNS] = DomainRules, DomainRules
	want.Postures[process], want.Postures[files], want.Postures[caps] = audit, allow, audit
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProfilesDoNotMeet(t *testing.T) {
	b := NewBuilder(Key{1, 2})
	for id := range 3 {
		if _, err := b.AddProfile(compile.Profile{ID: compile.ProfileID(id + 7), Rules: []compile.Rule{rule(id+1, audit, files, compile.MatchPath, "/a")}}); err != nil {
			t.Fatal(err)
		}
	}
	tables := built(t, b)
	if e, ok := find(tables, b.key, asked{kind: KindExact, domain: files, subject: "/a"}); !ok || e.ID != 1 || tables.Entries != 3 {
		t.Errorf("%+v of %d", e, tables.Entries)
	}
	if _, err := b.AddProfile(compile.Profile{ID: 7, Rules: []compile.Rule{rule(9, audit, files, compile.MatchPath, "/a")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(); !errors.Is(err, errTwice) {
		t.Errorf("a profile twice: %v", err)
	}
}

func TestEveryWordHasItsOwnCode(t *testing.T) {
	protocols := strings.Fields("tcp udp raw icmp icmpv6 sctp stream dgram rdm seqpacket dccp packet all")
	var codes []Protocol
	for _, word := range protocols {
		code, ok := ProtocolCode(word)
		if !ok {
			t.Errorf("no code for %q", word)
		}
		codes = append(codes, code)
	}
	slices.SortFunc(codes, cmp.Compare)
	if codes[0] != ProtocolTCP || codes[len(codes)-1] != ProtocolAll || len(slices.Compact(codes)) != 13 {
		t.Errorf("codes %v", codes)
	}
	for number := range uint8(41) {
		word, _ := CapabilityWord(uint32(number))
		if got, ok := CapabilityNumber(word); !ok || got != number {
			t.Errorf("capability %d is %q", number, word)
		}
	}
	for word, want := range map[string]uint8{"sys_admin": 21, "audit_read": 37, "bpf": 39, "syslog": 34, "mknod": 27} {
		if got, _ := CapabilityNumber(word); got != want {
			t.Errorf("%s is %d, want %d", word, got, want)
		}
	}
}

func BenchmarkAddProfile(b *testing.B) {
	profile := compile.Profile{ID: 7}
	for i := range 100_000 {
		profile.Rules = append(profile.Rules, rule(i+1, compile.Action(2+i%2), files, compile.MatchPath, fmt.Sprintf("/usr/lib/python3/dist-packages/module-%d", i)))
	}
	for b.Loop() {
		builder := NewBuilder(Key{1, 2})
		if _, err := builder.AddProfile(profile); err != nil {
			b.Fatal(err)
		}
		built(b, builder)
	}
}
