// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/bpf/match"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// matcher runs the kernel's matching code on this machine's own kernel.
type matcher struct {
	objects match.MatchObjects
	key     hashKey
	slot    match.MatchScratch
	held    []ruleKey
}

func newMatcher(tb testing.TB) *matcher {
	tb.Helper()
	spec, err := match.LoadMatch()
	if err != nil {
		tb.Fatal(err)
	}
	neverUsed(spec.Maps[tableTasks])
	m := &matcher{key: hashKey{0x0123456789abcdef, 0xfedcba9876543210}}
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
	for _, p := range []*ebpf.Program{m.objects.MatchPath, m.objects.Assemble} {
		info, err := p.Info()
		if err != nil {
			tb.Fatal(err)
		}
		n, _ := info.VerifiedInstructions()
		tb.Logf("%s: %d verified instructions", info.Name, n)
	}
	return m
}

// hold replaces the rules by one profile's, and has the slot compare with it.
func (m *matcher) hold(tb testing.TB, profile compile.Profile) {
	tb.Helper()
	for _, key := range m.held {
		if err := m.objects.Rules.Delete(key); err != nil {
			tb.Fatal(err)
		}
	}
	rules, summary, err := encodeProfile(profile, m.key)
	if err != nil {
		tb.Fatal(err)
	}
	for key, value := range rules {
		if err := m.objects.Rules.Put(key, value); err != nil {
			tb.Fatal(err)
		}
	}
	m.held = keysOf(rules)
	m.slot.Binding = match.MatchBinding{Profile: summary.Profile, Flags: summary.Flags, Depths: summary.Depths}
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

type verdict struct {
	Rule   compile.RuleID
	Action compile.Action
}

func (m *matcher) match(tb testing.TB, domain compile.Domain, path string) verdict {
	tb.Helper()
	m.place(tb, domain, path)
	out := m.run(tb, m.objects.MatchPath)
	return verdict{compile.RuleID(out.Rule), compile.Action(out.Action)}
}

// plainMatch is what the kernel's code must answer, written without hashes, depths and order.
func plainMatch(profile compile.Profile, domain compile.Domain, path string) verdict {
	var best verdict
	bestLength := -1
	for _, rule := range profile.Rules {
		if rule.Domain != domain {
			continue
		}
		rest, below := strings.CutPrefix(path, rule.Path)
		length := 2 * len(rule.Path)
		switch rule.Match {
		case compile.MatchPath:
			length = 1 << 30
			below = below && rest == ""
		case compile.MatchDirectory:
			// More specific than the recursive rule for the same directory.
			length++
			below = below && rest != "" && !strings.Contains(rest, "/")
		case compile.MatchRecursive:
			below = below && rest != ""
		}
		if below && length > bestLength {
			best, bestLength = verdict{rule.ID, rule.Action}, length
		}
	}
	return best
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
	profile := compile.Profile{ID: compile.ProfileID(r.Uint64())}
	type identity struct {
		domain compile.Domain
		match  compile.Match
		path   string
	}
	seen := map[identity]bool{}
	for range 1 + r.IntN(40) {
		rule := compile.Rule{
			ID:     compile.RuleID(1 + r.Uint64N(1<<62)),
			Domain: compile.Domain(1 + r.IntN(2)),
			Match:  compile.Match(1 + r.IntN(3)),
			Action: compile.Action(1 + r.IntN(3)),
			Path:   randomPath(r, randomComponents(r)),
		}
		if rule.Match != compile.MatchPath && rule.Path != "/" {
			if len(rule.Path) == maxPath {
				continue
			}
			rule.Path += "/"
		}
		if id := (identity{rule.Domain, rule.Match, rule.Path}); !seen[id] {
			seen[id] = true
			profile.Rules = append(profile.Rules, rule)
		}
	}
	return profile
}

// casePath is often a rule's own path, or near it.
func casePath(r *rand.Rand, profile compile.Profile) string {
	path := randomPath(r, randomComponents(r))
	if len(profile.Rules) == 0 || r.IntN(3) == 0 {
		return path
	}
	near := strings.TrimSuffix(profile.Rules[r.IntN(len(profile.Rules))].Path, "/")
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

func TestTheKernelsMatchingEqualsAPlainOne(t *testing.T) {
	m := newMatcher(t)
	profiles, paths := 400, 300
	if testing.Short() {
		profiles = 40
	}
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := map[compile.Action]int{}
	for range profiles {
		profile := randomProfile(r)
		m.hold(t, profile)
		for range paths {
			path, domain := casePath(r, profile), compile.Domain(1+r.IntN(2))
			want := plainMatch(profile, domain, path)
			if diff := cmp.Diff(want, m.match(t, domain, path)); diff != "" {
				t.Fatalf("path %q of %d bytes, domain %d, %d rules: (-plain +kernel)\n%s", path, len(path), domain, len(profile.Rules), diff)
			}
			outcomes[want.Action]++
		}
	}
	t.Logf("%d cases by action: %v", profiles*paths, outcomes)
	for action := compile.ActionNone; action <= compile.ActionBlock; action++ {
		if outcomes[action] < profiles*paths/100 {
			t.Errorf("action %d came out %d times only: the cases prove little", action, outcomes[action])
		}
	}
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

// BenchmarkMatch shows that a match costs the same with few rules and with many. The kernel times itself.
func BenchmarkMatch(b *testing.B) {
	const path = "/usr/lib/python3/dist-packages/yaml/representer.py"
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
			b.ResetTimer()
			for b.Loop() {
				if _, err := m.objects.MatchPath.Run(&ebpf.RunOptions{Data: make([]byte, 64), Repeat: 1000}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/match")
		})
	}
}
