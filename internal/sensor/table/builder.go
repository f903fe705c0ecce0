// SPDX-License-Identifier: Apache-2.0

package table

import (
	"cmp"
	"errors"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Builder collects the profiles of one generation.
type Builder struct {
	key      Key
	entries  []keyed
	automata automata
	// folders are those of the entries that are for folders above what Block rules name.
	folders int
}

// keyed is an entry with the hash of its key.
type keyed struct {
	sum Sum
	Entry
}

// NewBuilder begins a generation.
func NewBuilder(key Key) *Builder {
	return &Builder{key: key, automata: newAutomata()}
}

// AddProfile adds a profile's rules and automata. It adds none of the rules if it fails: with a *Problem for what can
// never match or what the core does not know, with a *FullError for too many automata.
func (b *Builder) AddProfile(p compile.Profile) (Summary, error) {
	if problem := checkProfile(p); problem != nil {
		return Summary{}, problem
	}
	l, problem := layOut(p, b.key)
	if problem != nil {
		return Summary{}, problem
	}
	s := summarise(p)
	for i, domain := range []compile.Domain{compile.DomainProcess, compile.DomainFile} {
		patterns, ok := p.Patterns[domain]
		if !ok {
			continue
		}
		placed, err := b.automata.add(patterns.Automaton)
		if err != nil {
			return Summary{}, err
		}
		s.Automata[i] = placed
	}
	b.entries = append(b.entries, l.entries...)
	b.folders += l.folders
	return s, nil
}

// Entries are how many the rules so far need.
func (b *Builder) Entries() int { return len(b.entries) }

var errTwice = errors.New("two entries of the table of rules have one key: a profile is in the set twice")

// Build lays out everything that was added. It fails with a *FullError for too many rules.
func (b *Builder) Build() (*Tables, error) {
	if len(b.entries) > MaxEntries {
		return nil, &FullError{Table: "rules", Need: len(b.entries), Capacity: MaxEntries, Folders: b.folders}
	}
	sorted := slices.Clone(b.entries)
	slices.SortFunc(sorted, func(x, y keyed) int {
		return cmp.Or(cmp.Compare(x.sum[0], y.sum[0]), cmp.Compare(x.sum[1], y.sum[1]))
	})
	for i := 1; i < len(sorted); i++ {
		if sorted[i].sum == sorted[i-1].sum {
			return nil, errTwice
		}
	}
	buckets, err := place(sorted)
	if err != nil {
		return nil, err
	}
	return &Tables{Buckets: buckets, Entries: len(sorted), Pages: b.automata.pages}, nil
}
