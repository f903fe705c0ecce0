// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// built is the profile of a workload, and what of its policies is not in force for it.
type built struct {
	profile  Profile
	infos    map[RuleID]RuleInfo
	withheld map[Ref][]Unsupported
	// fitted are the automata that it has.
	fitted []*fitted
}

// key is what rules of one domain compete for. Both matches of a directory have MatchRecursive here: they are equally
// specific.
type key struct {
	domain       Domain
	match        Match
	name, source string
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.match, b.match),
		cmp.Compare(a.name, b.name), cmp.Compare(a.source, b.source))
}

// entry is a rule that competes for a key.
type entry struct {
	*candidate
	key key
	// direct: of a directory, its direct entries only.
	direct bool
}

func (e entry) rule() Rule {
	r := Rule{
		ID: e.id, Domain: e.key.domain, Match: e.key.match, Action: e.effective,
		Path: e.key.name, Source: e.key.source, Conditions: e.conditions, Arguments: e.arguments,
	}
	if e.direct {
		r.Match = MatchDirectory
	}
	return r
}

// builder makes one profile.
type builder struct {
	abilities Abilities
	aliases   aliases
	workload  Workload
	// known automata, by key.
	known map[string]*fitted

	chains map[key][]entry
	// allows and judges are the domains that have any Allow rule, and any rule that blocks or audits.
	allows, judges map[Domain]bool
	withheld       map[place]Unsupported
	out            built
}

// place of a rule among all policies.
type place struct {
	policy Ref
	at     string
}

// build decides what the kernel holds for a workload. The order of its selections does not matter.
func (c *Compiler) build(w Workload, a aliases) built {
	b := builder{
		abilities: c.Abilities, aliases: a, workload: w, known: c.fitted,
		chains: map[key][]entry{}, allows: map[Domain]bool{}, judges: map[Domain]bool{}, withheld: map[place]Unsupported{},
		out: built{infos: map[RuleID]RuleInfo{}, withheld: map[Ref][]Unsupported{}},
	}
	for _, s := range w.Selections {
		b.read(s)
	}
	b.out.profile.Postures, b.out.profile.Visible = b.postures(), w.Visible
	b.emit()
	b.out.profile.ID = b.out.identify()
	for at, u := range b.withheld {
		b.out.withheld[at.policy] = append(b.out.withheld[at.policy], u)
	}
	return b.out
}

func (b *builder) withhold(ref Ref, at string, reason Reason, why string) {
	if _, known := b.withheld[place{ref, at}]; !known {
		b.withheld[place{ref, at}] = Unsupported{Rule: at, Reason: reason, Message: why}
	}
}

// read takes in all rules of a policy.
func (b *builder) read(s Selection) {
	p := s.Policy
	for _, problem := range p.Problems {
		b.withhold(p.Ref, problem.At, ReasonInvalid, problem.Message)
	}
	if p.AppArmor != "" {
		b.withhold(p.Ref, "spec.apparmor", ReasonAppArmor, "raw AppArmor rules hold on AppArmor nodes only")
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		reason, why := b.abilities.holds(r)
		switch {
		case s.Refused != "":
			b.withhold(p.Ref, r.At, ReasonRefused, s.Refused)
		case reason != "":
			b.withhold(p.Ref, r.At, reason, why)
		case isIdle(r):
		default:
			b.add(newCandidate(r, p.Ref, b.workload.AuditOnly))
		}
	}
}

// add lets a rule compete wherever it has a name and a source.
func (b *builder) add(c *candidate) {
	if c.effective == ActionAllow {
		b.allows[c.Domain] = true
		if !b.abilities.Postures && postureOf(b.workload, c.Domain) != ActionNone {
			b.withhold(c.ref, c.At, ReasonAllowList, "an Allow rule denies what no rule names; "+
				"that is not enforced yet, so the rule only exempts from Block rules that are less specific")
		}
	} else {
		b.judges[c.Domain] = true
	}
	names, multiCall := b.aliases.namesOf(c.Rule)
	sources, multiCallSource := b.aliases.sources(c.Rule)
	if program := cmp.Or(multiCall, multiCallSource); program != "" {
		b.withhold(c.ref, c.At, ReasonMultiCall, "the path is a link to "+program+", which is one program behind many names: "+
			"a rule on it would hold for all of them; name "+program+" itself to mean that")
	}
	if lacks := b.notJudged(c); len(lacks) > 0 {
		b.withhold(c.ref, c.At, ReasonNotJudged, "the rule is in force, but not for "+strings.Join(lacks, ", ")+
			": this node's kernel has no hook for that")
	}
	k := key{domain: c.Domain, match: matchOf(c.Rule)}
	direct := k.match == MatchDirectory
	if direct {
		k.match = MatchRecursive
	}
	for _, k.name = range names {
		for _, k.source = range sources {
			b.chains[k] = append(b.chains[k], entry{candidate: c, key: k, direct: direct})
		}
	}
}

// postures of the allow-lists, where they do anything.
func (b *builder) postures() map[Domain]Action {
	postures := map[Domain]Action{}
	for domain := range b.allows {
		if action := postureOf(b.workload, domain); action != ActionNone && b.abilities.Postures {
			postures[domain] = action
		}
	}
	return postures
}

// postureOf a domain that is an allow-list: what an operation gets that no rule decides, none to let it pass.
func postureOf(w Workload, d Domain) Action {
	switch d {
	case DomainProcess:
		d = DomainFile
	case DomainDNS:
		d = DomainNetwork
	}
	switch posture := w.Postures[d]; {
	case posture == policy.PostureAllow:
		return ActionNone
	case posture == policy.PostureBlock && !w.AuditOnly:
		return ActionBlock
	default:
		return ActionAudit
	}
}

// compareInProfile: by what rules compete for, and there in the order of the chain.
func compareInProfile(a, b entry) int {
	if c := compareKeys(a.key, b.key); c != 0 {
		return c
	}
	return compareEntries(a, b)
}

// emit writes the rules of every domain that does anything: Allow rules alone, with nothing to exempt from, do not.
func (b *builder) emit() {
	var kept []entry
	patterns := map[Domain][]entry{}
	for k, chain := range b.chains {
		switch {
		case !b.judges[k.domain] && b.out.profile.Postures[k.domain] == ActionNone:
		case k.match == MatchPattern:
			patterns[k.domain] = append(patterns[k.domain], chain...)
		case len(chain) == 1:
			kept = append(kept, chain[0])
		default:
			r := rank(b.distinct(chain))
			kept = append(kept, b.chain(r, indices(0, len(r.entries)))...)
		}
	}
	matched := map[Domain]matches{}
	for _, domain := range slices.Sorted(maps.Keys(patterns)) {
		m := b.match(patterns[domain])
		matched[domain] = m
		kept = append(kept, m.entries()...)
	}
	slices.SortFunc(kept, compareInProfile)
	b.out.profile.Rules = make([]Rule, 0, len(kept))
	index := map[slot]int{}
	for i, e := range kept {
		if e.key.match == MatchPattern {
			index[e.slot()] = i
		}
		b.out.profile.Rules = append(b.out.profile.Rules, e.rule())
		b.out.infos[e.id] = e.info()
	}
	for domain, m := range matched {
		if m.automaton == nil {
			continue
		}
		if b.out.profile.Patterns == nil {
			b.out.profile.Patterns = map[Domain]Patterns{}
		}
		b.out.profile.Patterns[domain] = m.patterns(index)
	}
}
