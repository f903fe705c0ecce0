// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/bpf/match"
	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// Limits of paths, as in bpf/include/core/limits.h.
const (
	maxPath = 4096
	maxName = 255
)

// matcher runs the kernel's matching code on this machine's own kernel.
type matcher struct {
	objects match.MatchObjects
	inner   map[string]*ebpf.MapSpec
	key     table.Key
	slot    match.MatchScratch
	classes map[string]uint32
}

func newMatcher(tb testing.TB) *matcher {
	tb.Helper()
	spec, err := match.LoadMatch()
	if err != nil {
		tb.Fatal(err)
	}
	neverUsed(spec.Maps[tableTasks])
	m := &matcher{key: table.Key{0x0123456789abcdef, 0xfedcba9876543210}, inner: map[string]*ebpf.MapSpec{}}
	for _, name := range []string{tableRules, tableAutomata} {
		m.inner[name] = spec.Maps[name].InnerMap
	}
	if err := spec.Variables["hash_key"].Set(m.key); err != nil {
		tb.Fatal(err)
	}
	err = spec.LoadAndAssign(&m.objects, nil)
	if errors.Is(err, unix.EPERM) {
		tb.Skip("needs CAP_BPF and CAP_PERFMON to run a BPF program: ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.objects.Close() })
	for _, p := range []*ebpf.Program{m.objects.DecidePath, m.objects.Assemble} {
		info, err := p.Info()
		if err != nil {
			tb.Fatal(err)
		}
		n, _ := info.VerifiedInstructions()
		tb.Logf("%s: %d verified instructions", info.Name, n)
	}
	return m
}

// hold replaces the rules by one profile's, and has the slot decide with it. The tables are in the second place, so that
// nothing works because a number happens to be 0.
func (m *matcher) hold(tb testing.TB, profile compile.Profile) {
	tb.Helper()
	summaries, layout, err := layOut([]compile.Profile{profile}, m.key)
	if err != nil {
		tb.Fatal(err)
	}
	core := &Core{inner: m.inner, maps: map[string]*ebpf.Map{tableRules: m.objects.Rules, tableAutomata: m.objects.Automata}}
	if err := core.writeTables(1, layout); err != nil {
		tb.Fatal(err)
	}
	b := summaries[profile.ID]
	m.slot.Binding = match.MatchBinding{
		Profile: b.Profile, Depths: b.Depths, Automaton: b.Automaton, Start: b.Start, Tables: 1, Buckets: uint32(len(layout.Buckets)),
		Domains: b.Domains, Posture: b.Posture, Conditions: b.Conditions,
	}
	var sources []string
	for _, rule := range profile.Rules {
		if rule.Source != "" {
			sources = append(sources, rule.Source)
		}
	}
	slices.Sort(sources)
	m.classes = map[string]uint32{}
	for i, source := range slices.Compact(sources) {
		m.classes[source] = uint32(i + 1)
	}
}

// place writes a path into the slot as the walk up would.
func (m *matcher) place(tb testing.TB, domain compile.Domain, path string) {
	tb.Helper()
	m.slot.Domain = uint32(domain)
	m.slot.Start = uint32(maxPath - len(path))
	m.slot.Components = 0
	if path == "/" {
		m.slot.Start = maxPath
	} else {
		copy(m.slot.Path[m.slot.Start:], path)
		names := strings.Split(path[1:], "/")
		for i, name := range names {
			m.slot.Lengths[len(names)-1-i] = uint8(len(name))
		}
		m.slot.Components = uint32(len(names))
	}
	if err := m.objects.Slots.Put(uint32(0), &m.slot); err != nil {
		tb.Fatal(err)
	}
}

func (m *matcher) run(tb testing.TB, program *ebpf.Program) match.MatchScratch {
	tb.Helper()
	if _, err := program.Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil {
		tb.Fatal(err)
	}
	var out match.MatchScratch
	if err := m.objects.Slots.Lookup(uint32(0), &out); err != nil {
		tb.Fatal(err)
	}
	return out
}

// asked is one question to the core's decision.
type asked struct {
	domain compile.Domain
	path   string
	source string
	met    compile.Conditions
}

// verdict is its answer.
type verdict struct {
	Rule    compile.RuleID
	Outcome int
}

// enum outcome
const (
	outcomeNone    = 0
	outcomePosture = 1
	outcomeAllow   = 2
)

func (m *matcher) decide(tb testing.TB, q asked) verdict {
	tb.Helper()
	m.slot.Source, m.slot.Met = m.classes[q.source], uint32(q.met)
	m.place(tb, q.domain, q.path)
	out := m.run(tb, m.objects.DecidePath)
	return verdict{compile.RuleID(out.Rule), int(out.Outcome)}
}

// plainDecide is what the kernel's code must answer, written without hashes, depths and order.
func plainDecide(profile compile.Profile, q asked) verdict {
	var best verdict
	bestRank := -1
	for i, rule := range profile.Rules {
		if rule.Domain != q.domain || (rule.Source != "" && rule.Source != q.source) || !plainMatches(profile, i, q.path) {
			continue
		}
		rank := plainRank(rule)
		outcome := plainOutcome(rule, q.met)
		if rank > bestRank || rank == bestRank && outcome > best.Outcome {
			best, bestRank = verdict{rule.ID, outcome}, rank
		}
	}
	return best
}

func plainMatches(profile compile.Profile, i int, path string) bool {
	rule := profile.Rules[i]
	rest, below := strings.CutPrefix(path, rule.Path)
	switch rule.Match {
	case compile.MatchPath:
		return path == rule.Path
	case compile.MatchDirectory:
		return below && rest != "" && !strings.Contains(rest, "/")
	case compile.MatchRecursive:
		return below && rest != ""
	case compile.MatchExecName:
		return path[strings.LastIndexByte(path, '/')+1:] == rule.Path
	case compile.MatchPattern:
		return strings.HasSuffix(path, strings.TrimPrefix(rule.Path, "/**"))
	}
	return false
}

// plainRank grows with how specific the rule is.
func plainRank(rule compile.Rule) int {
	kind := map[compile.Match]int{
		compile.MatchPath: 4, compile.MatchExecName: 3, compile.MatchPattern: 1, compile.MatchDirectory: 0, compile.MatchRecursive: 0,
	}[rule.Match]
	if rule.Source != "" {
		kind += 10
		// A directory with a source is above everything without one; patterns have none.
	}
	return kind<<16 + map[bool]int{true: len(rule.Path)}[kind%10 == 0]
}

func plainOutcome(rule compile.Rule, met compile.Conditions) int {
	meets := rule.Conditions&^met == 0
	switch {
	case rule.Action == compile.ActionAllow && !meets:
		return outcomePosture
	case rule.Action == compile.ActionAllow, rule.Conditions != 0 && meets:
		return outcomeAllow
	}
	return int(rule.Action) + 1
}

// randomPaths share components, so that they are prefixes of each other, in all kinds of bytes and lengths.
func randomPath(r *rand.Rand, components int) string {
	names := []string{
		"a", "b", "ab", "abcdefg", "abcdefgh", "abcdefghi", "etc", "ü", "日本語", "\xff\xfe\x80", "a b", "...", "\x01",
		"x (deleted)", strings.Repeat("n", maxName), strings.Repeat("n", maxName-1), strings.Repeat("m", 248),
	}
	var path strings.Builder
	for range components {
		name := names[r.IntN(len(names))]
		if r.IntN(3) > 0 {
			name = names[r.IntN(3)]
		}
		if path.Len()+1+len(name) > maxPath {
			break
		}
		path.WriteString("/" + name)
	}
	if path.Len() == 0 {
		return "/"
	}
	return path.String()
}

func randomComponents(r *rand.Rand) int {
	switch r.IntN(20) {
	case 0:
		return 0
	case 1:
		return 60 + r.IntN(10)
	case 2:
		return 2048
	}
	return 1 + r.IntN(6)
}

func randomProfile(r *rand.Rand) compile.Profile {
	profile := compile.Profile{ID: compile.ProfileID(r.Uint64()), Patterns: map[compile.Domain]compile.Patterns{}}
	competing := map[string]int{}
	for range 1 + r.IntN(40) {
		rule := randomRule(r)
		if rule.Path == "" {
			continue
		}
		key := fmt.Sprint(rule.Domain, min(rule.Match, compile.MatchRecursive*2), rule.Path, rule.Source)
		if rule.Match == compile.MatchDirectory || rule.Match == compile.MatchRecursive {
			key = fmt.Sprint(rule.Domain, rule.Path, rule.Source)
		}
		if competing[key]++; competing[key] <= compile.MaxVariants {
			profile.Rules = append(profile.Rules, rule)
		}
	}
	if r.IntN(2) == 0 {
		addSuffixPatterns(r, &profile)
	}
	return profile
}

// randomRule has no path where it would be no rule.
func randomRule(r *rand.Rand) compile.Rule {
	rule := compile.Rule{
		ID:     compile.RuleID(1 + r.Uint64N(1<<62)),
		Domain: compile.Domain(1 + r.IntN(2)),
		Match:  compile.Match(1 + r.IntN(4)),
		Action: compile.Action(1 + r.IntN(3)),
		Path:   randomPath(r, randomComponents(r)),
	}
	if r.IntN(4) == 0 {
		rule.Conditions = compile.Conditions(r.IntN(8))
	}
	if r.IntN(4) == 0 {
		rule.Source = randomPath(r, 1)
	}
	switch {
	case rule.Match == compile.MatchPath || rule.Path == "/" && rule.Match != compile.MatchExecName:
	case rule.Match == compile.MatchExecName:
		rule.Domain = compile.DomainProcess
		rule.Path = rule.Path[strings.LastIndexByte(rule.Path, '/')+1:]
	case len(rule.Path) == maxPath:
		return compile.Rule{}
	default:
		rule.Path += "/"
	}
	return rule
}

// addSuffixPatterns adds patterns for paths that end in a byte: the simplest automaton that is one.
func addSuffixPatterns(r *rand.Rand, profile *compile.Profile) {
	domain := compile.Domain(1 + r.IntN(2))
	a := &automaton.Automaton{Columns: 3, Start: 1, Next: []uint32{0, 0, 0}, Accept: []uint32{0, 0, 1, 2}, Sets: [][]int{{0}, {1}}}
	for range 3 {
		a.Next = append(a.Next, 1, 2, 3)
	}
	a.Classes['b'], a.Classes['c'] = 1, 2
	patterns := compile.Patterns{Automaton: a}
	for _, glob := range []string{"/**b", "/**c"} {
		rule := compile.Rule{ID: compile.RuleID(1 + r.Uint64N(1<<62)), Domain: domain, Match: compile.MatchPattern, Action: compile.Action(1 + r.IntN(3)), Path: glob}
		patterns.Outcomes = append(patterns.Outcomes, []int{len(profile.Rules)})
		profile.Rules = append(profile.Rules, rule)
	}
	profile.Patterns[domain] = patterns
}

// casePath is often a rule's own path, or near it.
func casePath(r *rand.Rand, profile compile.Profile) string {
	path := randomPath(r, randomComponents(r))
	if len(profile.Rules) == 0 || r.IntN(3) == 0 {
		return path
	}
	rule := profile.Rules[r.IntN(len(profile.Rules))]
	near := strings.TrimSuffix(rule.Path, "/")
	if rule.Match == compile.MatchExecName {
		near = randomPath(r, r.IntN(3)) + "/" + near
		near = strings.Replace(near, "//", "/", 1)
	}
	switch r.IntN(4) {
	case 0:
		near += randomPath(r, 1+r.IntN(3))
	case 1:
		near += "x"
	case 2:
		if i := strings.LastIndexByte(near, '/'); i > 0 {
			near = near[:i]
		}
	}
	last := near[strings.LastIndexByte(near, '/')+1:]
	if !strings.HasPrefix(near, "/") || len(near) > maxPath || len(last) > maxName || strings.HasSuffix(near, "/") {
		return path
	}
	return near
}

func TestTheKernelsDecisionEqualsAPlainOne(t *testing.T) {
	m := newMatcher(t)
	profiles, paths := 400, 300
	if testing.Short() {
		profiles = 40
	}
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := map[int]int{}
	for range profiles {
		profile := randomProfile(r)
		m.hold(t, profile)
		for range paths {
			q := asked{
				domain: compile.Domain(1 + r.IntN(2)), path: casePath(r, profile),
				source: caseSource(r, profile), met: compile.Conditions(r.IntN(8)),
			}
			want := plainDecide(profile, q)
			if diff := cmp.Diff(want, m.decide(t, q)); diff != "" {
				t.Fatalf("path %q of %d bytes, source %q, domain %d, met %b: (-plain +kernel)\n%s\n%+v",
					q.path, len(q.path), q.source, q.domain, q.met, diff, profile.Rules)
			}
			outcomes[want.Outcome]++
		}
	}
	t.Logf("%d cases by outcome: %v", profiles*paths, outcomes)
	for outcome := outcomeNone; outcome <= int(compile.ActionBlock)+1; outcome++ {
		if outcomes[outcome] < profiles*paths/200 {
			t.Errorf("outcome %d came out %d times only: the cases prove little", outcome, outcomes[outcome])
		}
	}
}

func caseSource(r *rand.Rand, profile compile.Profile) string {
	if len(profile.Rules) == 0 || r.IntN(3) == 0 {
		return ""
	}
	return profile.Rules[r.IntN(len(profile.Rules))].Source
}

func TestTheKernelsAssemblyOfPaths(t *testing.T) {
	m := newMatcher(t)
	long := strings.Repeat("l", maxName)
	tests := map[string]struct {
		names  []string
		status uint32
	}{
		"no component is the root":               {nil, 0},
		"one component":                          {[]string{"a"}, 0},
		"many of all lengths":                    {[]string{"a", "bc", long, "d", "\xff\x80"}, 0},
		"2,048 components of one byte":           {slicesOf("x", 2048), 0},
		"2,049 components are too long":          {slicesOf("x", 2049), 1},
		"4,096 bytes":                            {slicesOf(long, 16), 0},
		"more than 4,096 bytes are too long":     {append(slicesOf(long, 16), "x"), 1},
		"one byte less than 4,096 and one more":  {append(slicesOf(long, 15), strings.Repeat("y", 254), "x"), 1},
		"one byte less than 4,096 with the last": {append(slicesOf(long, 15), strings.Repeat("y", 254)), 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var list [3 * maxPath]byte
			at, want := 0, ""
			for i := len(test.names) - 1; i >= 0; i-- {
				list[at] = uint8(len(test.names[i]))
				at += 1 + copy(list[at+1:], test.names[i])
				want = "/" + test.names[i] + want
			}
			if err := m.objects.Names.Put(uint32(0), list); err != nil {
				t.Fatal(err)
			}
			out := m.run(t, m.objects.Assemble)
			if out.Status != test.status {
				t.Fatalf("status %d, want %d", out.Status, test.status)
			}
			got := string(out.Path[out.Start:maxPath])
			if test.status == 0 && got != want {
				t.Errorf("got %d bytes, want %d: %s", len(got), len(want), cmp.Diff(want, got))
			}
			if !strings.HasSuffix(want, got) {
				t.Errorf("what was assembled is no end of the path: %q", got)
			}
		})
	}
}

func slicesOf(name string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = name
	}
	return names
}

// BenchmarkDecide shows that a decision costs the same with few rules and with many. The kernel times itself.
func BenchmarkDecide(b *testing.B) {
	const path = "/usr/lib/python3/dist-packages/yaml/nodes/representer/plugins.py"
	for _, rules := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("%d rules", rules), func(b *testing.B) {
			m := newMatcher(b)
			profile := compile.Profile{ID: 1}
			for i := range rules {
				profile.Rules = append(profile.Rules,
					compile.Rule{
						ID: compile.RuleID(i + 1), Domain: compile.DomainFile, Match: compile.Match(1 + i%3), Action: compile.ActionBlock,
						Path: fmt.Sprintf("/usr/lib/python3/other-%d", i) + strings.Repeat("/", min(i%3, 1)),
					})
			}
			m.hold(b, profile)
			m.place(b, compile.DomainFile, path)
			for b.Loop() {
				if _, err := m.objects.DecidePath.Run(&ebpf.RunOptions{Data: make([]byte, 64), Repeat: 1000}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/decision")
		})
	}
}
