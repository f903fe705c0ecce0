// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

func openTestRun(tb testing.TB) *TestRun {
	tb.Helper()
	r, err := OpenTestRun()
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
		tb.Skip("running a BPF program needs CAP_BPF and CAP_PERFMON; root, as in make test, may not skip this: ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	for _, p := range []*ebpf.Program{r.objects.PathAnswer, r.objects.WordsAnswer, r.objects.ArgumentsAnswer, r.objects.Assemble} {
		info, err := p.Info()
		if err != nil {
			tb.Fatal(err)
		}
		n, _ := info.VerifiedInstructions()
		tb.Logf("%s: %d verified instructions", info.Name, n)
	}
	return r
}

func (r *TestRun) must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// enum outcome
const (
	outcomeNone    = 0
	outcomePosture = 1
	outcomeAllow   = 2
)

// verdict is the outcome of the rules that decide, and the first of them.
type verdict struct {
	Rule    compile.RuleID
	Outcome int
}

// plainAnswer is the answer of plain code: the verdict's, or the posture's.
func plainAnswer(profile compile.Profile, q table.Question) (table.Answer, int) {
	v := plainDecide(profile, q)
	if v.Outcome > outcomePosture {
		return table.Answer{Action: compile.Action(v.Outcome - 1), Rule: v.Rule}, v.Outcome
	}
	if posture := profile.Postures[q.Domain]; posture > compile.ActionAllow {
		return table.Answer{Action: posture, Rule: RulePosture}, v.Outcome
	}
	return table.Answer{Action: compile.ActionAllow}, v.Outcome
}

// plainDecide is what the kernel's code must answer, written without hashes, depths and order.
func plainDecide(profile compile.Profile, q table.Question) verdict {
	var best verdict
	bestRank := -1
	for i, rule := range profile.Rules {
		if rule.Domain != q.Domain || (rule.Source != "" && rule.Source != q.Source) || !plainMatches(profile, i, q.Path) {
			continue
		}
		rank := plainRank(rule)
		outcome := plainOutcome(rule, q.Met)
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
	if r.IntN(3) == 0 {
		profile.Postures = map[compile.Domain]compile.Action{compile.Domain(1 + r.IntN(2)): compile.Action(1 + r.IntN(3))}
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
	core := openTestRun(t)
	profiles, paths := 400, 300
	if testing.Short() {
		profiles = 40
	}
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := map[int]int{}
	for range profiles {
		profile := randomProfile(r)
		core.must(t, core.Hold(profile))
		for range paths {
			q := table.Question{
				Domain: compile.Domain(1 + r.IntN(2)), Path: casePath(r, profile),
				Source: caseSource(r, profile), Met: compile.Conditions(r.IntN(8)),
			}
			want, outcome := plainAnswer(profile, q)
			got, err := core.Answer(q)
			core.must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("path %q of %d bytes, source %q, domain %d, met %b: (-plain +kernel)\n%s\n%+v",
					q.Path, len(q.Path), q.Source, q.Domain, q.Met, diff, profile.Rules)
			}
			outcomes[outcome]++
		}
	}
	t.Logf("%d cases by outcome: %v", profiles*paths, outcomes)
	for outcome := outcomeNone; outcome <= int(compile.ActionBlock)+1; outcome++ {
		if outcomes[outcome] < profiles*paths/200 {
			t.Errorf("outcome %d came out %d times only: the cases prove little", outcome, outcomes[outcome])
		}
	}
}

func TestTheKernelsAnswersOnEverythingElse(t *testing.T) {
	core := openTestRun(t)
	id := func(r compile.Rule, id compile.RuleID, change func(*compile.Rule)) compile.Rule {
		change(&r)
		r.ID = id
		return r
	}
	nothing := func(*compile.Rule) {}
	network, capabilities := compile.DomainNetwork, compile.DomainCapabilities
	profile := compile.Profile{ID: 9, Rules: []compile.Rule{
		id(block(process, exact, "/bin/tool"), 1, func(r *compile.Rule) {
			r.Conditions, r.Arguments = compile.ConditionArguments, []string{"-a", "", strings.Repeat("long", 100)}
		}),
		id(block(process, exact, "/opt/deep/er/tool"), 2, nothing),
		id(block(process, exact, "/abcdefgh/tool"), 9, nothing),
		id(rule(compile.ActionAudit, process, exact, "/bin/other"), 10, func(r *compile.Rule) { r.Source = "/bin/sh" }),
		id(rule(compile.ActionAudit, files, exact, "/etc/audited"), 3, nothing),
		id(block(network, compile.MatchProtocol, "raw"), 4, nothing),
		id(rule(compile.ActionAllow, network, compile.MatchProtocol, "icmp"), 5, nothing),
		id(block(network, compile.MatchProtocol, "tcp"), 6, nothing),
		id(rule(compile.ActionAllow, network, compile.MatchProtocol, "udp"), 11, nothing),
		id(block(network, compile.MatchProtocol, "sctp"), 12, nothing),
		id(block(network, compile.MatchProtocol, "dccp"), 13, nothing),
		id(block(capabilities, compile.MatchCapability, "chown"), 7, nothing),
		id(rule(compile.ActionAudit, capabilities, compile.MatchCapability, "chown"), 8, func(r *compile.Rule) { r.Source = "/bin/chown" }),
	}, Postures: map[compile.Domain]compile.Action{network: compile.ActionAudit}}
	core.must(t, core.Hold(profile))
	long := strings.Repeat("long", 100)
	answer := func(action compile.Action, rule compile.RuleID) table.Answer {
		return table.Answer{Action: action, Rule: rule}
	}
	tests := map[string]struct {
		q    table.Question
		want table.Answer
	}{
		"no argument":                       {table.Question{Domain: process, Path: "/bin/tool"}, answer(compile.ActionAllow, 1)},
		"permitted ones":                    {table.Question{Domain: process, Path: "/bin/tool", Arguments: []string{long, "", "-a"}}, answer(compile.ActionAllow, 1)},
		"one that is not":                   {table.Question{Domain: process, Path: "/bin/tool", Arguments: []string{"-a", "-b"}}, answer(compile.ActionBlock, 1)},
		"one that is longer":                {table.Question{Domain: process, Path: "/bin/tool", Arguments: []string{long + "x"}}, answer(compile.ActionBlock, 1)},
		"one that nobody can name":          {table.Question{Domain: process, Path: "/bin/tool", Arguments: []string{strings.Repeat("x", 5000)}}, answer(compile.ActionBlock, 1)},
		"1,024 permitted ones":              {table.Question{Domain: process, Path: "/bin/tool", Arguments: slicesOf("-a", 1024)}, answer(compile.ActionAllow, 1)},
		"more than are read":                {table.Question{Domain: process, Path: "/bin/tool", Arguments: slicesOf("-a", 1100)}, answer(compile.ActionBlock, 1)},
		"when they are not known":           {table.Question{Domain: process, Path: "/bin/tool", UnknownArguments: true}, answer(compile.ActionBlock, 1)},
		"a new name for it":                 {table.Question{Domain: process, Path: "/bin/tool", UnknownArguments: true, BlocksOnly: true}, answer(compile.ActionBlock, 1)},
		"a new name for what is around one": {table.Question{Domain: process, Path: "/opt/deep", BlocksOnly: true, Inside: true}, answer(compile.ActionBlock, 2)},
		"a new name for one of eight bytes": {table.Question{Domain: process, Path: "/abcdefgh", BlocksOnly: true, Inside: true}, answer(compile.ActionBlock, 9)},
		"an argument, where other rules are for certain executables": {
			table.Question{Domain: process, Path: "/bin/tool", Source: "/bin/sh", Arguments: []string{"-b"}}, answer(compile.ActionBlock, 1),
		},
		"a new name for another directory":        {table.Question{Domain: process, Path: "/opt/deeq", BlocksOnly: true, Inside: true}, answer(compile.ActionAllow, 0)},
		"an unknown path of a domain that blocks": {table.Question{Domain: process, Unresolved: true}, answer(compile.ActionBlock, RuleUnresolved)},
		"of one that audits":                      {table.Question{Domain: files, Unresolved: true}, answer(compile.ActionAudit, RuleUnresolved)},
		"an object":                               {table.Question{Domain: process, Object: true}, answer(compile.ActionAllow, 0)},
		"tcp":                                     {table.Question{Domain: network, Family: 10, Type: 1}, answer(compile.ActionBlock, 6)},
		"multipath TCP":                           {table.Question{Domain: network, Family: 2, Type: 1, Protocol: 262}, answer(compile.ActionBlock, 6)},
		"SMC of IP":                               {table.Question{Domain: network, Family: 2, Type: 1, Protocol: 256}, answer(compile.ActionBlock, 6)},
		"SMC":                                     {table.Question{Domain: network, Family: 43, Type: 1, Protocol: 1}, answer(compile.ActionBlock, 6)},
		"UDP-Lite":                                {table.Question{Domain: network, Family: 2, Type: 2, Protocol: 136}, answer(compile.ActionAllow, 11)},
		"packets in order over IP are SCTP's":     {table.Question{Domain: network, Family: 2, Type: 5}, answer(compile.ActionBlock, 12)},
		"those of unix sockets are not":           {table.Question{Domain: network, Family: 1, Type: 5}, answer(compile.ActionAudit, RulePosture)},
		"DCCP without its number":                 {table.Question{Domain: network, Family: 2, Type: 6}, answer(compile.ActionBlock, 13)},
		"a raw socket of icmp":                    {table.Question{Domain: network, Family: 2, Type: 3, Protocol: 1}, answer(compile.ActionBlock, 4)},
		"one of another protocol":                 {table.Question{Domain: network, Family: 2, Type: 3, Protocol: 89}, answer(compile.ActionBlock, 4)},
		"a ping":                                  {table.Question{Domain: network, Family: 2, Type: 2, Protocol: 1}, answer(compile.ActionAllow, 5)},
		"what is not named":                       {table.Question{Domain: network, Family: 1, Type: 1}, answer(compile.ActionAudit, RulePosture)},
		"the first capability":                    {table.Question{Domain: capabilities, Capability: 0}, answer(compile.ActionBlock, 7)},
		"of one executable":                       {table.Question{Domain: capabilities, Capability: 0, Source: "/bin/chown"}, answer(compile.ActionAudit, 8)},
		"another capability":                      {table.Question{Domain: capabilities, Capability: 1}, answer(compile.ActionAllow, 0)},
	}
	for name, test := range tests {
		got, err := core.Answer(test.q)
		core.must(t, err)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
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
	core := openTestRun(t)
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
			if err := core.objects.Names.Put(uint32(0), list); err != nil {
				t.Fatal(err)
			}
			core.must(t, core.run(core.objects.Assemble))
			out := core.slot
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
			core := openTestRun(b)
			profile := compile.Profile{ID: 1}
			for i := range rules {
				profile.Rules = append(profile.Rules,
					compile.Rule{
						ID: compile.RuleID(i + 1), Domain: compile.DomainFile, Match: compile.Match(1 + i%3), Action: compile.ActionBlock,
						Path: fmt.Sprintf("/usr/lib/python3/other-%d", i) + strings.Repeat("/", min(i%3, 1)),
					})
			}
			core.must(b, core.Hold(profile))
			var total time.Duration
			for b.Loop() {
				each, err := core.Time(table.Question{Domain: compile.DomainFile, Path: path}, 1000)
				core.must(b, err)
				total += each
			}
			b.ReportMetric(float64(total.Nanoseconds())/float64(b.N), "ns/decision")
		})
	}
}
