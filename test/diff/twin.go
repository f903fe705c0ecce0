// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// twin judges as the core does, by the same look-ups in the same tables, in plain Go.
type twin struct {
	key     table.Key
	summary table.Summary
	tables  *table.Tables
}

func newTwin(p compile.Profile) (twin, error) {
	t := twin{key: table.Key{0x0123456789abcdef, 0xfedcba9876543210}}
	b := table.NewBuilder(t.key)
	var err error
	if t.summary, err = b.AddProfile(p); err != nil {
		return twin{}, err
	}
	t.tables, err = b.Build()
	return t, err
}

// outcome of a rule, as in bpf/include/core: they grow with precedence.
type outcome int

const (
	outcomeNone outcome = iota
	outcomePosture
	outcomeAllow
	outcomeAudit
	outcomeBlock
)

func (t twin) judge(q question) table.Answer {
	flags := t.summary.Domains[q.Domain]
	switch {
	case flags&table.DomainRules == 0 || q.BlocksOnly && flags&table.DomainBlocks == 0:
		return table.Answer{Action: compile.ActionAllow}
	case q.Unresolved:
		return t.unresolved(q, flags)
	case q.Object:
		if q.Domain == compile.DomainFile {
			return table.Answer{Action: compile.ActionAllow}
		}
		return t.posture(q)
	}
	found, rule := t.match(q)
	if q.BlocksOnly && found != outcomeBlock {
		return table.Answer{Action: compile.ActionAllow}
	}
	switch found {
	case outcomeAllow:
		return table.Answer{Action: compile.ActionAllow, Rule: rule}
	case outcomeAudit:
		return table.Answer{Action: compile.ActionAudit, Rule: rule}
	case outcomeBlock:
		return table.Answer{Action: compile.ActionBlock, Rule: rule}
	default:
		return t.posture(q)
	}
}

func (t twin) posture(q question) table.Answer {
	if posture := t.summary.Postures[q.Domain]; posture > compile.ActionAllow {
		return table.Answer{Action: posture, Rule: table.RulePosture}
	}
	return table.Answer{Action: compile.ActionAllow}
}

func (t twin) unresolved(q question, flags table.DomainFlags) table.Answer {
	var action compile.Action
	switch {
	case flags&table.DomainBlocks != 0:
		action = compile.ActionBlock
	case flags&table.DomainAudits != 0:
		action = max(compile.ActionAudit, t.summary.Postures[q.Domain])
	default:
		action = max(compile.ActionAllow, t.summary.Postures[q.Domain])
	}
	return table.Answer{Action: action, Rule: table.RuleUnresolved}
}

// match asks with the task's class of source, then without.
func (t twin) match(q question) (outcome, compile.RuleID) {
	classes := []uint32{0}
	if t.summary.Domains[q.Domain]&table.DomainSources != 0 && q.Source != "" {
		h := table.NewHasher(t.key)
		h.Path(q.Source)
		if e, found := t.tables.Lookup(h.Select(table.Selector{Profile: t.summary.Profile, Kind: table.KindSource})); found {
			classes = []uint32{e.Value, 0}
		}
	}
	for _, class := range classes {
		for _, ask := range t.order(q, class) {
			if found, rule := ask(); found != outcomeNone {
				return found, rule
			}
		}
	}
	return outcomeNone, 0
}

// order are the questions of one class of source, the most specific first.
func (t twin) order(q question, class uint32) []func() (outcome, compile.RuleID) {
	type ask = func() (outcome, compile.RuleID)
	word := func(words ...table.Protocol) ask {
		return func() (outcome, compile.RuleID) { return t.strongest(q, table.KindProtocol, class, words) }
	}
	if q.Inside {
		directory := strings.TrimSuffix(q.Path, "/") + "/"
		return []ask{func() (outcome, compile.RuleID) { return t.path(q, table.KindAncestor, class, directory) }}
	}
	switch q.Domain {
	case compile.DomainCapabilities:
		return []ask{func() (outcome, compile.RuleID) { return t.word(q, table.KindCapability, class, uint64(q.Capability)) }}
	case compile.DomainNetwork:
		protocols, types := table.SocketCodes(q.Family, q.Type, q.Protocol)
		return []ask{word(protocols...), word(types...), word(table.ProtocolAll)}
	case compile.DomainDNS:
		return []ask{
			func() (outcome, compile.RuleID) { return t.name(q, table.KindName, class, q.name) },
			func() (outcome, compile.RuleID) { return t.wildcard(q, class) },
		}
	}
	asks := []ask{
		func() (outcome, compile.RuleID) { return t.path(q, table.KindExact, class, q.Path) },
		func() (outcome, compile.RuleID) { return t.execName(q, class) },
		func() (outcome, compile.RuleID) { return t.directory(q, class) },
	}
	if class == 0 {
		last := asks[2]
		asks = append(asks[:2], func() (outcome, compile.RuleID) { return t.pattern(q) }, last)
	}
	return asks
}

func (t twin) path(q question, kind table.Kind, class uint32, path string) (outcome, compile.RuleID) {
	if path == "/" && kind == table.KindExact {
		return outcomeNone, 0
	}
	h := table.NewHasher(t.key)
	h.Path(path)
	return t.chain(q, h, kind, class, false)
}

func (t twin) execName(q question, class uint32) (outcome, compile.RuleID) {
	h := table.NewHasher(t.key)
	h.Bytes(q.Path[strings.LastIndexByte(q.Path, '/')+1:])
	return t.chain(q, h, table.KindExecName, class, false)
}

// directory asks for every directory that the path is below, the deepest one first.
func (t twin) directory(q question, class uint32) (outcome, compile.RuleID) {
	parent := true
	for i := len(q.Path) - 2; i >= 0; i-- {
		if q.Path[i] != '/' {
			continue
		}
		h := table.NewHasher(t.key)
		h.Path(q.Path[:i+1])
		if found, rule := t.chain(q, h, table.KindDirectory, class, !parent); found != outcomeNone {
			return found, rule
		}
		parent = false
	}
	return outcomeNone, 0
}

// name compares as the DNS does.
func (t twin) name(q question, kind table.Kind, class uint32, name string) (outcome, compile.RuleID) {
	h := table.NewHasher(t.key)
	h.Name(policy.DomainName(name))
	return t.chain(q, h, kind, class, false)
}

// wildcard asks for every domain that the name is below, the longest one first.
func (t twin) wildcard(q question, class uint32) (outcome, compile.RuleID) {
	_, domain, below := strings.Cut(strings.TrimSuffix(q.name, "."), ".")
	for below {
		if found, rule := t.name(q, table.KindWildcard, class, domain); found != outcomeNone {
			return found, rule
		}
		_, domain, below = strings.Cut(domain, ".")
	}
	return outcomeNone, 0
}

func (t twin) pattern(q question) (outcome, compile.RuleID) {
	placed := t.summary.Automata[q.Domain-compile.DomainProcess]
	if placed.Classes == 0 {
		return outcomeNone, 0
	}
	accept := t.tables.Run(placed, q.Path)
	if accept == 0 {
		return outcomeNone, 0
	}
	return t.word(q, table.KindPattern, 0, uint64(accept))
}

// strongest of the chains of several words: a socket may be of two protocols, icmp and raw.
func (t twin) strongest(q question, kind table.Kind, class uint32, words []table.Protocol) (outcome, compile.RuleID) {
	best, decider := outcomeNone, compile.RuleID(0)
	for _, word := range words {
		if found, rule := t.word(q, kind, class, uint64(word)); found > best {
			best, decider = found, rule
		}
	}
	return best, decider
}

func (t twin) word(q question, kind table.Kind, class uint32, word uint64) (outcome, compile.RuleID) {
	h := table.NewHasher(t.key)
	h.Word(word)
	return t.chain(q, h, kind, class, false)
}

// chain is the maximum over the variants of one key, the first one of equal ones. deep: entries for direct entries only
// do not count.
func (t twin) chain(q question, h table.Hasher, kind table.Kind, class uint32, deep bool) (outcome, compile.RuleID) {
	best, decider := outcomeNone, compile.RuleID(0)
	for variant := range uint16(compile.MaxVariants) {
		s := table.Selector{Profile: t.summary.Profile, Domain: q.Domain, Kind: kind, Variant: variant, Source: class}
		e, found := t.tables.Lookup(h.Select(s))
		if !found {
			break
		}
		if !deep || e.Flags&table.FlagDirect == 0 {
			if o := t.outcomeOf(q, e); o > best {
				best, decider = o, e.ID
			}
		}
		if e.Flags&table.FlagMore == 0 {
			break
		}
	}
	return best, decider
}

func (t twin) outcomeOf(q question, e table.Entry) outcome {
	met := e.Conditions&^(q.Met|compile.ConditionArguments) == 0
	if e.Conditions&compile.ConditionArguments != 0 {
		met = met && !q.UnknownArguments && t.permits(e.ID, q.Arguments)
	}
	switch {
	case e.Action == compile.ActionAllow && !met:
		return outcomePosture
	case e.Action == compile.ActionAllow, e.Conditions != 0 && met:
		return outcomeAllow
	case e.Action == compile.ActionAudit:
		return outcomeAudit
	default:
		return outcomeBlock
	}
}

func (t twin) permits(rule compile.RuleID, arguments []string) bool {
	for _, argument := range arguments {
		h := table.NewHasher(t.key)
		h.Bytes(argument)
		h.Word(uint64(rule))
		s := table.Selector{Profile: t.summary.Profile, Domain: compile.DomainProcess, Kind: table.KindArgument}
		if _, found := t.tables.Lookup(h.Select(s)); !found {
			return false
		}
	}
	return true
}
