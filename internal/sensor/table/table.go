// SPDX-License-Identifier: Apache-2.0

// Package table lays profiles out as the core reads them: a hash table of rules and a table of automata, byte for byte
// as in bpf/include/core. It is pure; the same profiles and key give the same tables.
package table

import (
	"encoding/binary"
	"fmt"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Limits of one generation.
const (
	// MaxEntries are more than rules: a rule may need one for its source, for each of its arguments, and, if it blocks,
	// for each folder above it that no other rule has. They take the 10 MiB that 1,000 policies and 100,000 rules may
	// take: 4 KiB for a policy, and 64 B for a rule.
	MaxEntries = 393216
	// MaxPages of automata are 16 MiB.
	MaxPages = 4096
)

// Reserved ids, which no rule of a policy has.
const (
	// RuleUnresolved is the rule of a verdict on an operation whose path could not be resolved.
	RuleUnresolved compile.RuleID = 1<<64 - 1
	// RulePosture is the rule of a verdict on an operation of an allow-list that no rule decided.
	RulePosture compile.RuleID = 1<<64 - 2
)

// Kind says what an entry's key was made of.
type Kind uint8

// The kinds.
const (
	// KindExact, KindDirectory: the words of a path; of a directory with the slash at its end.
	KindExact     Kind = 1
	KindDirectory Kind = 2
	// KindExecName: the words of the last component alone.
	KindExecName Kind = 3
	// KindPattern: one word, the accept id of the domain's automaton.
	KindPattern Kind = 4
	// KindSource: the words of an executable's path, in domain 0. Value is its class within the profile, from 1.
	KindSource Kind = 5
	// KindArgument: the words of an argument, then the rule's id. The entry's existence permits the argument.
	KindArgument Kind = 6
	// KindProtocol, KindCapability: one word, the code.
	KindProtocol   Kind = 7
	KindCapability Kind = 8
	// KindAncestor: the words of a directory below which a Block rule of the domain names something. The entry's id is
	// the first such rule's. Its source is the rule's: who asks for a task with a class of source asks for 0 too.
	KindAncestor Kind = 9
	// KindName, KindWildcard: the labels of a domain name, the last one first, each behind its length.
	KindName     Kind = 10
	KindWildcard Kind = 11
	// KindSyscall: one word, the code, for every executable. What is for one executable or a directory of them is
	// KindExact or KindDirectory of its path, with the code and one as the source.
	KindSyscall Kind = 20
)

// Flags of an entry.
type Flags uint8

// The flags.
const (
	// FlagMore: the next variant of the chain exists.
	FlagMore Flags = 1 << 0
	// FlagDirect: the rule is for a directory's direct entries only.
	FlagDirect Flags = 1 << 1
)

// Entry is struct rule_entry without its tag.
type Entry struct {
	ID         compile.RuleID
	Action     compile.Action
	Conditions compile.Conditions
	Flags      Flags
	Value      uint32
}

// Sizes in bytes of struct rule_entry and of a bucket.
const (
	EntrySize   = 24
	BucketSlots = 4
	BucketSize  = BucketSlots * EntrySize
)

// Bucket is BucketSlots times struct rule_entry { u64 tag, id; u8 action, conditions, flags, pad; u32 value; }. An empty
// slot's tag is 0.
type Bucket [BucketSize]byte

func (b *Bucket) put(slot int, tag uint64, e Entry) {
	at := b[slot*EntrySize : (slot+1)*EntrySize]
	binary.LittleEndian.PutUint64(at, tag)
	binary.LittleEndian.PutUint64(at[8:], uint64(e.ID))
	at[16], at[17], at[18], at[19] = byte(e.Action), byte(e.Conditions), byte(e.Flags), 0
	binary.LittleEndian.PutUint32(at[20:], e.Value)
}

// Slot is the tag and the entry in one slot.
func (b *Bucket) Slot(slot int) (tag uint64, e Entry) {
	at := b[slot*EntrySize : (slot+1)*EntrySize]
	return binary.LittleEndian.Uint64(at), Entry{
		ID:         compile.RuleID(binary.LittleEndian.Uint64(at[8:])),
		Action:     compile.Action(at[16]),
		Conditions: compile.Conditions(at[17]),
		Flags:      Flags(at[18]),
		Value:      binary.LittleEndian.Uint32(at[20:]),
	}
}

// Tables are what one generation holds beside its bindings.
type Tables struct {
	// Buckets of the rules; there is at least one.
	Buckets []Bucket
	// Entries in them.
	Entries int
	// Pages of the automata; there is at least one. No automaton is at address 0.
	Pages []Page
}

// Lookup is the twin of the core's.
func (t *Tables) Lookup(sum Sum) (Entry, bool) {
	tag := tagOf(sum)
	for _, b := range candidates(sum, len(t.Buckets)) {
		for slot := range BucketSlots {
			if have, e := t.Buckets[b].Slot(slot); have == tag {
				return e, true
			}
		}
	}
	return Entry{}, false
}

// tagOf is never 0, which means empty.
func tagOf(sum Sum) uint64 { return sum[1] | 1 }

// candidates are the two buckets of n in which an entry may be; they may be the same.
func candidates(sum Sum, n int) [2]int {
	return [2]int{
		int((sum[0] & 0xffffffff) * uint64(n) >> 32),
		int((sum[0] >> 32) * uint64(n) >> 32),
	}
}

// FullError says that a table cannot hold a generation.
type FullError struct {
	// Table is "rules", with entries, or "automata", with pages.
	Table string
	// Need is at least what the generation needs.
	Need, Capacity int
	// Folders are those of the entries that stand for folders above what Block rules name.
	Folders int
}

func (e *FullError) Error() string {
	return fmt.Sprintf("table %q holds %d and the policies need %d", e.Table, e.Capacity, e.Need)
}

// Problem says why a rule, or a profile where Rule has no Match, cannot be laid out.
type Problem struct {
	Rule compile.Rule
	Text string
}

func (p *Problem) Error() string {
	if p.Rule.Match == 0 {
		return p.Text
	}
	return fmt.Sprintf("rule %#x, %q: %s", uint64(p.Rule.ID), p.Rule.Path, p.Text)
}
