// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// operation is what both halves of the property test judge.
type operation struct {
	domain       Domain
	path, source string
	// word of the network and capability domains: the protocol words that the socket is, most specific first.
	words []string
	met   Conditions
	args  []string
}

// verdict of either half. The rule is that of Block and Audit alone: which rule lets an operation pass does not matter.
type verdict struct {
	action Action
	policy Ref
	rule   string
}

// twin judges as the core does: from the profile alone, by look-ups in the order of specificity.
type twin struct {
	profile Profile
	infos   map[RuleID]RuleInfo
	chains  map[key][]Rule
}

func newTwin(p Profile, infos map[RuleID]RuleInfo) twin {
	t := twin{profile: p, infos: infos, chains: map[key][]Rule{}}
	for _, r := range p.Rules {
		k := key{r.Domain, r.Match, r.Path, r.Source}
		if r.Match == MatchDirectory {
			k.match = MatchRecursive
		}
		t.chains[k] = append(t.chains[k], r)
	}
	return t
}

func (t twin) judge(op operation) verdict {
	for _, chain := range t.candidates(op) {
		if len(chain) == 0 {
			continue
		}
		if outcome, decider := decide(chain, op); outcome > outcomePosture {
			return t.verdict(outcome, decider)
		}
		break
	}
	return verdict{action: max(t.profile.Postures[op.domain], ActionAllow)}
}

func (t twin) verdict(o outcome, decider Rule) verdict {
	if o == outcomeAllow {
		return verdict{action: ActionAllow}
	}
	info := t.infos[decider.ID]
	return verdict{decider.Action, info.Policy, info.Rule}
}

// candidates are the chains that match, the most specific first.
func (t twin) candidates(op operation) [][]Rule {
	var chains [][]Rule
	look := func(m Match, name, source string) {
		chains = append(chains, t.chains[key{op.domain, m, name, source}])
	}
	if len(op.words) > 0 {
		match := MatchProtocol
		if op.domain == DomainCapabilities {
			match = MatchCapability
		}
		for _, source := range []string{op.source, ""} {
			for _, word := range op.words {
				look(match, word, source)
			}
		}
		return chains
	}
	base := op.path[strings.LastIndexByte(op.path, '/')+1:]
	directories := func(source string) {
		for i := len(op.path) - 1; i >= 0; i-- {
			if op.path[i] == '/' && i < len(op.path)-1 {
				chains = append(chains, t.directory(op, op.path[:i+1], source))
			}
		}
	}
	look(MatchPath, op.path, op.source)
	look(MatchExecName, base, op.source)
	directories(op.source)
	look(MatchPath, op.path, "")
	look(MatchExecName, base, "")
	chains = append(chains, t.pattern(op))
	directories("")
	return chains
}

// directory is the part of a directory's chain that counts.
func (t twin) directory(op operation, directory, source string) []Rule {
	var chain []Rule
	for _, r := range t.chains[key{op.domain, MatchRecursive, directory, source}] {
		if r.Match == MatchRecursive || !strings.Contains(op.path[len(directory):], "/") {
			chain = append(chain, r)
		}
	}
	return chain
}

func (t twin) pattern(op operation) []Rule {
	patterns, found := t.profile.Patterns[op.domain]
	if !found {
		return nil
	}
	var chain []Rule
	if accept := patterns.Automaton.Run(op.path); accept > 0 {
		for _, i := range patterns.Outcomes[accept-1] {
			chain = append(chain, t.profile.Rules[i])
		}
	}
	return chain
}

// decide is the maximum over a chain, and the first rule that reaches it.
func decide(chain []Rule, op operation) (outcome, Rule) {
	best, decider := outcome(-1), Rule{}
	for _, r := range chain {
		met := r.Conditions&^(op.met|ConditionArguments) == 0
		if r.Conditions&ConditionArguments != 0 && slices.ContainsFunc(op.args, func(a string) bool { return !slices.Contains(r.Arguments, a) }) {
			met = false
		}
		o := outcomeBlock
		switch {
		case r.Action == ActionAllow && !met:
			o = outcomePosture
		case r.Action == ActionAllow, r.Conditions != 0 && met:
			o = outcomeAllow
		case r.Action == ActionAudit:
			o = outcomeAudit
		}
		if o > best {
			best, decider = o, r
		}
	}
	return best, decider
}

// naive judges as the language is written down: from the policies, rule by rule.
type naive struct{ Workload }

// claim is a rule that matches, with how exactly it does, and what it says.
type claim struct {
	rank, depth int
	outcome     outcome
	rule        *policy.Rule
	ref         Ref
	effective   Action
}

func (n naive) judge(op operation) verdict {
	var claims []claim
	allowList := false
	for _, s := range n.Selections {
		for i := range s.Policy.Rules {
			r := &s.Policy.Rules[i]
			if s.Refused != "" || r.Domain != op.domain {
				continue
			}
			allowList = allowList || r.Action == ActionAllow
			if rank, depth := n.match(r, op); rank > 0 {
				claims = append(claims, n.claim(s.Policy.Ref, r, op, rank, depth))
			}
		}
	}
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.depth, a.depth), cmp.Compare(b.outcome, a.outcome),
			cmp.Compare(b.rule.Severity, a.rule.Severity), compareRefs(a.ref, b.ref), cmp.Compare(a.rule.At, b.rule.At))
	})
	switch {
	case len(claims) > 0 && claims[0].outcome == outcomeAllow, len(claims) == 0 && !allowList:
		return verdict{action: ActionAllow}
	case len(claims) > 0 && claims[0].outcome > outcomeAllow:
		return verdict{claims[0].effective, claims[0].ref, claims[0].rule.At}
	}
	return verdict{action: max(postureOf(n.Workload, op.domain), ActionAllow)}
}

func (n naive) claim(ref Ref, r *policy.Rule, op operation, rank, depth int) claim {
	c := claim{rank: rank, depth: depth, rule: r, ref: ref, effective: r.Action}
	if n.AuditOnly && r.Action == ActionBlock {
		c.effective = ActionAudit
	}
	met := (!r.OwnerOnly || op.met&ConditionOwner != 0) && (!r.ReadOnly || op.met&ConditionRead != 0) &&
		(!r.NoTerminal || op.met&ConditionNoTerminal != 0)
	if len(r.AllowedArgs) > 0 {
		for _, a := range op.args {
			met = met && slices.Contains(r.AllowedArgs, a)
		}
	}
	conditional := r.OwnerOnly || r.ReadOnly || r.NoTerminal || len(r.AllowedArgs) > 0
	switch {
	case r.Action == ActionAllow && !met:
		c.outcome = outcomePosture
	case r.Action == ActionAllow, conditional && met:
		c.outcome = outcomeAllow
	case c.effective == ActionAudit:
		c.outcome = outcomeAudit
	default:
		c.outcome = outcomeBlock
	}
	return c
}

// match gives the rank and depth of a rule for an operation, 0 where it does not match.
func (n naive) match(r *policy.Rule, op operation) (rank, depth int) {
	sourced := 0
	if len(r.Sources) > 0 {
		if !slices.ContainsFunc(r.Sources, func(s policy.Source) bool { return slices.Contains(n.names(s.Path), op.source) }) {
			return 0, 0
		}
		sourced = 10
	}
	switch {
	case r.Path != "" && slices.Contains(n.names(r.Path), op.path):
		rank = 4
	case r.ExecName != "" && strings.HasSuffix(op.path, "/"+r.ExecName):
		rank = 3
	case r.Pattern != "" && slices.ContainsFunc(n.patterns(r.Pattern), func(p string) bool { return like(p, op.path) }):
		rank = 2
	case r.Directory != "":
		for _, directory := range n.names(r.Directory) {
			rest, below := strings.CutPrefix(op.path, directory)
			if below && rest != "" && (r.Recursive || !strings.Contains(rest, "/")) {
				rank, depth = 1, max(depth, len(directory))
			}
		}
	case r.Protocol+r.Capability != "":
		if i := slices.Index(op.words, r.Protocol+r.Capability); i >= 0 {
			rank = len(op.words) - i
		}
	}
	if rank == 0 {
		return 0, 0
	}
	return rank + sourced, depth
}

// patterns that a pattern means: one that begins with a link to a directory means what is behind it too.
func (n naive) patterns(pattern string) []string {
	patterns := []string{pattern}
	if rest, found := strings.CutPrefix(pattern, "/bin/"); found {
		for _, directory := range n.names("/bin/") {
			patterns = append(patterns, directory+rest)
		}
	}
	return patterns
}

func (n naive) names(path string) []string {
	names := []string{path}
	if n.Root == nil {
		return names
	}
	if object, multiCall := n.Root.Resolve(path); !multiCall {
		names = append(names, object)
	}
	return names
}

// like is a glob of the language's simplest part: "**" is everything, "*" everything but a slash; each matches at least
// one byte here, since each is a whole component in the patterns of the test.
func like(glob, path string) bool {
	switch {
	case glob == path:
		return true
	case glob == "" || path == "":
		return false
	case strings.HasPrefix(glob, "**"):
		return slices.ContainsFunc(splits(path), func(rest string) bool { return like(glob[2:], rest) })
	case glob[0] == '*':
		end := strings.IndexByte(path+"/", '/')
		return end > 0 && slices.ContainsFunc(splits(path[:end]), func(rest string) bool { return like(glob[1:], rest+path[end:]) })
	default:
		return glob[0] == path[0] && like(glob[1:], path[1:])
	}
}

// splits are what may follow one or more bytes of text.
func splits(text string) []string {
	var out []string
	for i := 1; i <= len(text); i++ {
		out = append(out, text[i:])
	}
	return out
}
