// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// rank says how exactly a rule names an operation: the higher level is more specific, and at the same level the deeper
// one: the deepest directory, the longest wildcard.
type rank struct {
	level level
	depth int
}

func compareRanks(a, b rank) int {
	return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.depth, b.depth))
}

type level int

// The levels of processes and files, from the least specific. A recursive and a plain rule of the same directory are
// equally specific. Patterns have no sources.
const (
	levelDirectory level = iota + 1
	levelPattern
	levelExecName
	levelExact
	levelDirectoryFromSource
	levelExecNameFromSource
	levelExactFromSource
)

// The levels of the network: a protocol says more than a type of sockets, and a type more than all.
const (
	levelAll level = iota + 1
	levelType
	levelProtocol
	levelAllFromSource
	levelTypeFromSource
	levelProtocolFromSource
)

// The levels of DNS.
const (
	levelWildcard level = iota + 1
	levelName
	levelWildcardFromSource
	levelNameFromSource
)

// The levels of capabilities.
const (
	levelCapability level = iota + 1
	levelCapabilityFromSource
)

// The levels of system calls: of rules for all executables, then those for a directory of them, then those for one.
const (
	levelCall level = iota + 1
	levelCallInDirectory
	levelCallOnPath
	// callLevels is how many levels there are of each.
	callLevels = iota
)

// rankOf says whether a rule matches the question, its source too, and how exactly.
func (w Workload) rankOf(r *policy.Rule, q question) (rank, bool) {
	if r.Domain != q.domain || r.Preset != "" || !w.sourceMatches(r, q.Source) {
		return rank{}, false
	}
	switch q.domain {
	case policy.DomainProcess, policy.DomainFile:
		return w.rankOfPath(r, q)
	case policy.DomainNetwork:
		return rankOfSocket(r, q.socket())
	case policy.DomainCapabilities:
		return rankOfCapability(r, q.Capability)
	case policy.DomainDNS:
		return rankOfName(r, q.Name)
	case policy.DomainSyscalls:
		return w.rankOfCall(r, q)
	default:
		return rank{}, false
	}
}

// sourceMatches says whether the task's executable is one of the rule's sources, or the rule has none.
func (w Workload) sourceMatches(r *policy.Rule, source string) bool {
	if len(r.Sources) == 0 {
		return true
	}
	for i := range r.Sources {
		s := &r.Sources[i]
		if s.Path != "" && w.isExactly(s.Path, source) || s.Directory != "" && w.depthIn(s.Directory, s.Recursive, source) > 0 {
			return true
		}
	}
	return false
}

// choose gives the level with or without a source.
func choose(r *policy.Rule, without, with level) level {
	if len(r.Sources) > 0 {
		return with
	}
	return without
}
