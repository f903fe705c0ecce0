// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/bpf/match"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// wireName is a name as a query has it.
func wireName(name string) []byte {
	var wire []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label != "" {
			wire = append(append(wire, byte(len(label))), label...)
		}
	}
	return append(wire, 0)
}

// query asks for the addresses of names, each as it is on the wire.
func query(names ...[]byte) []byte {
	message := []byte{0x12, 0x34, 0x01, 0x00, 0, byte(len(names)), 0, 0, 0, 0, 0, 0}
	for _, name := range names {
		message = append(append(message, name...), 0, 1, 0, 1)
	}
	return message
}

// prefixed is a message as TCP has it.
func prefixed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

// ipFrame is an Ethernet frame with an IP packet to port 53.
func ipFrame(version, protocol byte, extensions, payload []byte) []byte {
	transport := append([]byte{0xc0, 0, 0, 53}, make([]byte, 4)...)
	if protocol == unix.IPPROTO_TCP {
		transport = append(transport, 0, 0, 0, 0, 6<<4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1)
	}
	transport = append(transport, payload...)
	ethernet := make([]byte, 12, 14)
	if version == 4 {
		header := append([]byte{4<<4 | byte(5+len(extensions)/4), 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 53}, extensions...)
		return append(append(append(ethernet, 0x08, 0x00), header...), transport...)
	}
	header := append([]byte{6 << 4, 0, 0, 0, 0, 0, protocol, 64}, make([]byte, 32)...)
	if len(extensions) > 0 {
		// A hop-by-hop header, and behind it the transport.
		header[6], extensions[0] = 0, protocol
		header = append(header, extensions...)
	}
	return append(append(append(ethernet, 0x86, 0xdd), header...), transport...)
}

// lookUp runs the core's code on a packet that an executable sends.
func (r *TestRun) lookUp(tb testing.TB, source string, packet []byte) {
	tb.Helper()
	r.slot = match.MatchScratch{Binding: r.binding, Domain: uint32(compile.DomainDNS)}
	if source != "" {
		r.must(tb, r.findSource(source))
	}
	r.must(tb, r.put())
	if _, err := r.objects.QueryAnswer.Run(&ebpf.RunOptions{Data: packet}); err != nil {
		tb.Fatal(err)
	}
	r.must(tb, r.objects.Slots.Lookup(uint32(0), &r.slot))
}

const noQuestion = 7

// fragmented is a frame with an IPv4 packet that has these flags and this offset.
func fragmented(frame []byte, flags uint16) []byte {
	binary.BigEndian.PutUint16(frame[14+6:], flags)
	return frame
}

// extended is a frame with an IPv6 packet to port 53 behind extension headers, each with its number in front.
func extended(headers [][]byte, payload []byte) []byte {
	frame := ipFrame(6, unix.IPPROTO_UDP, nil, payload)
	const next, end = 14 + 6, 14 + 40
	at, whole := next, slices.Clone(frame[:end])
	for _, header := range headers {
		whole[at], at = header[0], len(whole)
		whole = append(whole, header[1:]...)
	}
	whole[at] = unix.IPPROTO_UDP
	return append(whole, frame[end:]...)
}

func TestQueriesAreReadWhateverTheyAreIn(t *testing.T) {
	r := openTestRun(t)
	rules := []compile.Rule{block(compile.DomainDNS, compile.MatchName, "www.example.com")}
	r.must(t, r.Hold(profileOf(rules)))
	name := wireName("WWW.Example.com")
	long := wireName(strings.Repeat("a.", 126) + "a")
	deepest := wireName(strings.Repeat(strings.Repeat("x", 63)+".", 3) + strings.Repeat("y", 61))
	pointer := append(wireName("www")[:4], 0xc0, 12)
	options := make([]byte, 8)
	tests := map[string]struct {
		packet []byte
		// status of the question, and whether the rule matched.
		status uint32
		denied bool
	}{
		"UDP":                            {ipFrame(4, unix.IPPROTO_UDP, nil, query(name)), 0, true},
		"UDP over IPv6":                  {ipFrame(6, unix.IPPROTO_UDP, nil, query(name)), 0, true},
		"IPv4 with options":              {ipFrame(4, unix.IPPROTO_UDP, options, query(name)), 0, true},
		"IPv6 with an extension":         {ipFrame(6, unix.IPPROTO_UDP, options, query(name)), 0, true},
		"something behind the question":  {ipFrame(4, unix.IPPROTO_UDP, nil, append(query(name), 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0)), 0, true},
		"another name":                   {ipFrame(4, unix.IPPROTO_UDP, nil, query(wireName("ww.example.com"))), 0, false},
		"a name below":                   {ipFrame(4, unix.IPPROTO_UDP, nil, query(wireName("a.www.example.com"))), 0, false},
		"the name above":                 {ipFrame(4, unix.IPPROTO_UDP, nil, query(wireName("example.com"))), 0, false},
		"labels that are one":            {ipFrame(4, unix.IPPROTO_UDP, nil, query([]byte("\x0bwww.example\x03com\x00"))), 0, false},
		"a label filled up with zeroes":  {ipFrame(4, unix.IPPROTO_UDP, nil, query([]byte("\x03www\x07example\x04com\x00\x00"))), 0, false},
		"the root":                       {ipFrame(4, unix.IPPROTO_UDP, nil, query([]byte{0})), 0, false},
		"127 labels":                     {ipFrame(4, unix.IPPROTO_UDP, nil, query(long)), 0, false},
		"255 bytes":                      {ipFrame(4, unix.IPPROTO_UDP, nil, query(deepest)), 0, false},
		"256 bytes":                      {ipFrame(4, unix.IPPROTO_UDP, nil, query(append([]byte{1, 'z'}, deepest[1:]...))), noQuestion, false},
		"128 labels":                     {ipFrame(4, unix.IPPROTO_UDP, nil, query(append([]byte{1, 'a'}, long...))), noQuestion, false},
		"a compressed name":              {ipFrame(4, unix.IPPROTO_UDP, nil, query(pointer)), noQuestion, false},
		"a label of an unknown kind":     {ipFrame(4, unix.IPPROTO_UDP, nil, query(append([]byte{0x41}, name...))), noQuestion, false},
		"half a name":                    {ipFrame(4, unix.IPPROTO_UDP, nil, query(name)[:20]), noQuestion, false},
		"a name without its type":        {ipFrame(4, unix.IPPROTO_UDP, nil, query(name)[:len(query(name))-1]), noQuestion, false},
		"no question":                    {ipFrame(4, unix.IPPROTO_UDP, nil, query()), noQuestion, false},
		"more questions than are judged": {ipFrame(4, unix.IPPROTO_UDP, nil, query(name, name, name, name, name)), noQuestion, false},
		"the first fragment":             {fragmented(ipFrame(4, unix.IPPROTO_UDP, nil, query(name)), 0x2000), noQuestion, false},
		"its first 8 bytes":              {fragmented(ipFrame(4, unix.IPPROTO_UDP, nil, nil), 0x2000), noQuestion, false},
		"a later fragment":               {fragmented(ipFrame(4, unix.IPPROTO_UDP, nil, query(name)), 1), noQuestion, false},
		"a fragment of something else":   {fragmented(ipFrame(4, unix.IPPROTO_ICMP, nil, nil), 0x2000), 0, false},
		"a packet that may not be cut":   {fragmented(ipFrame(4, unix.IPPROTO_UDP, nil, query(name)), 0x4000), 0, true},
		"the first fragment over IPv6":   {extended([][]byte{{44, 0, 0, 0, 1, 0, 0, 0, 0}}, query(name)), noQuestion, false},
		"a later one over IPv6":          {extended([][]byte{{44, 0, 0, 0, 8, 0, 0, 0, 0}}, query(name)), noQuestion, false},
		"one that is the only one":       {extended([][]byte{{44, 0, 0, 0, 0, 0, 0, 0, 0}}, query(name)), 0, true},
		"8 extension headers":            {extended(slices.Repeat([][]byte{{60, 0, 0, 0, 0, 0, 0, 0, 0}}, 8), query(name)), 0, true},
		"9 extension headers":            {extended(slices.Repeat([][]byte{{60, 0, 0, 0, 0, 0, 0, 0, 0}}, 9), query(name)), noQuestion, false},
		"half a header":                  {ipFrame(4, unix.IPPROTO_UDP, nil, query(name)[:11]), noQuestion, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r.lookUp(t, "", test.packet)
			if got := compile.Action(r.slot.Action) == compile.ActionBlock; r.slot.Status != test.status || got != test.denied {
				t.Errorf("status %d, denied: %v; want %d, %v", r.slot.Status, got, test.status, test.denied)
			}
		})
	}
}

// randomName is one of few, so that rules and queries meet.
func randomName(random *rand.Rand, wildcard bool) string {
	labels := []string{"a", "b", "ab", "example", "eight888", strings.Repeat("x", 63)}
	parts := make([]string, 1+random.IntN(3))
	if random.IntN(20) == 0 {
		parts = make([]string, 60+random.IntN(10))
	}
	for i := range parts {
		parts[i] = labels[random.IntN(len(labels)-len(parts)/60)]
		if len(parts) >= 60 {
			parts[i] = labels[random.IntN(2)]
		}
	}
	if wildcard {
		parts[0] = "*"
		if len(parts) == 1 {
			parts = append(parts, "a")
		}
	}

	return strings.Join(parts, ".")
}

// TestNamesAreJudgedAsTheModelSays: random policies, and queries of random names.
func TestNamesAreJudgedAsTheModelSays(t *testing.T) {
	r := openTestRun(t)
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "n", Name: "p"}}
		for i := range 1 + random.IntN(12) {
			rule := policy.Rule{
				At: fmt.Sprintf("spec.network.matchDNSQueries[%02d]", i), Domain: policy.DomainDNS, Severity: random.IntN(3),
				Action: policy.Action(1 + random.IntN(3)), DNSName: randomName(random, random.IntN(2) == 0),
			}
			if random.IntN(4) == 0 {
				rule.Sources = []policy.Source{{Path: "/usr/bin/dig"}}
			}
			p.Rules = append(p.Rules, rule)
		}
		workload := model.Workload{
			Policies: []model.Selected{{Policy: p}},
			Postures: map[policy.Domain]policy.Posture{policy.DomainNetwork: policy.PostureBlock},
		}
		out := compile.Compile([]compile.Workload{{
			Cgroup: compile.Cgroup{ID: 1, Level: 1}, Selections: []compile.Selection{{Policy: &p}}, Postures: workload.Postures,
		}}, compile.Everything())
		if len(out.Set.Profiles) == 0 {
			continue
		}
		r.must(t, r.Hold(out.Set.Profiles[0]))
		for range 50 {
			op := model.Operation{Kind: model.DNS, Name: randomName(random, false)}
			if random.IntN(2) == 0 {
				op.Source = "/usr/bin/dig"
			}
			spelled := op.Name
			if random.IntN(2) == 0 {
				spelled = strings.ToUpper(spelled)
			}
			r.lookUp(t, op.Source, ipFrame(4, unix.IPPROTO_UDP, nil, query(wireName(spelled))))
			want := workload.Judge(op)
			if got := r.named(out); got != fmt.Sprint(want.Action, want.Rule) {
				t.Fatalf("seed %d: %s by %q: got %s, want %v by %s\n%+v", seed, op.Name, op.Source, got, want.Action, want.Rule, p.Rules)
			}
		}
	}
}

// named is the answer in the slot, as the model says it.
func (r *TestRun) named(out compile.Output) string {
	action := max(compile.Action(r.slot.Action), compile.ActionAllow)
	return fmt.Sprint(action, out.Rules[compile.RuleID(r.slot.Rule)].Rule)
}

func TestAResourceSaysWhatIsLookedUpAndWhere(t *testing.T) {
	ipv4 := append([]byte{4, unix.IPPROTO_UDP, 53, 0, 0, 0, 0, 0, 10, 96, 0, 10}, make([]byte, 12)...)
	ipv6 := append([]byte{6, unix.IPPROTO_TCP, 0x35, 0, 0, 0, 0, 0, 0xfd}, append(make([]byte, 14), 1)...)
	tests := map[string]struct {
		resource []byte
		want     string
	}{
		"a name":             {append(ipv4, append(wireName("www.example.com"), 0, 0)...), "domain=www.example.com protocol=UDP server=10.96.0.10:53"},
		"IPv6":               {append(ipv6, wireName("a")...), "domain=a protocol=TCP server=[fd00::1]:53"},
		"unusual bytes":      {append(ipv4, "\x05a.\\ \xff\x00"...), `domain=a\046\092\032\255 protocol=UDP server=10.96.0.10:53`},
		"half a label":       {append(ipv4, "\x01a\x05ab"...), "domain=a protocol=UDP server=10.96.0.10:53"},
		"nothing":            {nil, "domain="},
		"a compressed label": {append(ipv4, 0xc0, 12), "domain= protocol=UDP server=10.96.0.10:53"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := lookupName(test.resource); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestThisKernelAcceptsLookups: their program needs no LSM, so that every kernel with CONFIG_CGROUP_BPF takes it.
func TestThisKernelAcceptsLookups(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		s, err := loadSpecs(mode)
		if err != nil {
			t.Fatal(err)
		}
		s.objects = []*ebpf.CollectionSpec{s.lookups}
		s.taskStorage = false
		neverUsed(s.lookups.Maps[tableTasks])
		s.maps = map[string]*ebpf.MapSpec{tableHashKey: s.maps[tableHashKey]}
		for name, m := range s.lookups.Maps {
			if name[0] != '.' {
				s.maps[name] = m
			}
		}
		core := &Core{mode: mode, log: logr.Discard(), maps: map[string]*ebpf.Map{}, inner: map[string]*ebpf.MapSpec{}}
		if err := core.makeMaps(s); err != nil {
			t.Fatal(err)
		}
		settings := map[string]any{"hash_key": core.key, "ancestor_helper": false, "task_storage": false, "rename_flags": false, "spare_slots": s.spareSlots}
		err = core.loadObject(s.lookups, settings, btf.NewCache())
		var verifier *ebpf.VerifierError
		if errors.As(err, &verifier) {
			t.Log(strings.Join(verifier.Log[max(0, len(verifier.Log)-60):], "\n"))
		}
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		programs, err := core.programs()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range programs {
			t.Logf("%s %s: %d verified instructions", mode, p.Hook, p.VerifiedInstructions)
		}
		if err := core.Close(); err != nil {
			t.Error(err)
		}
	}
}
