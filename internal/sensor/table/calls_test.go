// SPDX-License-Identifier: Apache-2.0

package table

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func call(id int, name, source string) compile.Rule {
	r := rule(id, audit, compile.DomainSyscalls, compile.MatchSyscall, name)
	r.Source = source
	return r
}

// TestSystemCallsAreLaidOut for all executables by their code, for others by the executable.
func TestSystemCallsAreLaidOut(t *testing.T) {
	key := Key{1, 2}
	b := NewBuilder(key)
	summary, err := b.AddProfile(compile.Profile{ID: 7, Rules: []compile.Rule{
		call(1, "ptrace", ""), call(2, "ptrace", "/usr/bin/x"), call(3, "ptrace", "/usr/bin/"), call(4, "ptrace", "/usr/bin/**"),
		call(5, "bpf", "/**"),
		call(6, "arm_fadvise64_64", ""), call(7, "olduname", ""), // 32-bit programs have these, of one machine each.
	}})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ptrace, _ := codeOf("ptrace")
	bpf, _ := codeOf("bpf")
	look := func(read func(*Hasher), s Selector) (found []Entry) {
		h := NewHasher(key)
		read(&h)
		s.Profile, s.Domain = 7, compile.DomainSyscalls
		for ; ; s.Variant++ {
			e, ok := tables.Lookup(h.Select(s))
			if !ok {
				return found
			}
			found = append(found, e)
		}
	}
	path := func(path string) func(*Hasher) { return func(h *Hasher) { h.Path(path) } }
	for name, tt := range map[string]struct{ got, want []Entry }{
		"for all":           {look(func(h *Hasher) { h.Word(uint64(ptrace)) }, Selector{Kind: KindSyscall}), []Entry{{ID: 1, Action: audit}}},
		"for an executable": {look(path("/usr/bin/x"), Selector{Kind: KindExact, Source: uint32(ptrace) + 1}), []Entry{{ID: 2, Action: audit}}},
		"for a directory, the plain one first": {
			look(path("/usr/bin/"), Selector{Kind: KindDirectory, Source: uint32(ptrace) + 1}),
			[]Entry{{ID: 3, Action: audit, Flags: FlagDirect | FlagMore}, {ID: 4, Action: audit}},
		},
		"for the root":           {look(path("/"), Selector{Kind: KindDirectory, Source: uint32(bpf) + 1}), []Entry{{ID: 5, Action: audit}}},
		"no class of executable": {look(path("/usr/bin/x"), Selector{Kind: KindSource}), nil},
	} {
		if diff := gocmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if b.Entries() != 6 {
		t.Errorf("%d entries, want 5 and the one call that this machine has", b.Entries())
	}
	if want := uint64(1<<(ptrace&63) | 1<<(bpf&63)); summary.Calls&want != want {
		t.Errorf("calls %b, want at least %b", summary.Calls, want)
	}
	if summary.CallDepths != 1<<0|1<<2 || summary.Depths != [2]uint64{} {
		t.Errorf("depths %b and %b", summary.CallDepths, summary.Depths)
	}
}
