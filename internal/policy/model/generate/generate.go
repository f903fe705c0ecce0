// SPDX-License-Identifier: Apache-2.0

// Package generate makes random policies and random operations, so that two implementations of the policy language can
// be compared. Both are skewed to the edges: rules overlap, share prefixes and differ in one byte, and most operations
// hit a rule or miss it narrowly. The same seed gives the same cases. It is pure.
package generate

import (
	"fmt"
	"math/rand/v2"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// Options of a Generator.
type Options struct {
	// Domains that rules and operations are of: process, file, network, capabilities and DNS.
	Domains []policy.Domain
	// MostRules that a workload has in the largest cases; 400 when 0.
	MostRules int
}

// Generator of cases. It is for one goroutine.
type Generator struct {
	random *rand.Rand
	o      Options
	// paths, sources and domains of the workload in the making: new ones are made of them.
	paths, sources, domains []string
}

// New gives the Generator of a seed.
func New(seed uint64, o Options) *Generator {
	if o.MostRules == 0 {
		o.MostRules = 400
	}
	return &Generator{random: rand.New(rand.NewPCG(seed, 0x6b61)), o: o}
}

// Workload makes a few policies that name nearly the same things, and postures.
func (g *Generator) Workload() model.Workload {
	g.paths, g.sources, g.domains = nil, nil, nil
	for range 2 + g.random.IntN(6) {
		g.paths = append(g.paths, g.path())
	}
	for range 1 + g.random.IntN(4) {
		g.sources = append(g.sources, g.path())
	}
	w := model.Workload{Postures: map[policy.Domain]policy.Posture{}}
	for _, d := range []policy.Domain{policy.DomainFile, policy.DomainNetwork, policy.DomainCapabilities} {
		w.Postures[d] = pick(g, policy.PostureAllow, policy.PostureAudit, policy.PostureBlock, policy.PostureBlock)
	}
	if g.oneIn(3) {
		w.Root = g.links()
	}
	audited := g.oneIn(20)
	for i := range 1 + g.random.IntN(4) {
		w.Policies = append(w.Policies, model.Selected{Policy: g.policy(i), AuditOnly: audited})
	}
	return w
}

// policy has a few rules, rarely hundreds. Most have a leaning: without any, nearly every domain would be an allow-list.
func (g *Generator) policy(i int) policy.Policy {
	kind := pick(g, policy.KindPolicy, policy.KindPolicy, policy.KindClusterPolicy)
	p := policy.Policy{Ref: policy.Ref{Kind: kind, Name: fmt.Sprintf("p%d", i)}, Generation: 1}
	if kind == policy.KindPolicy {
		p.Ref.Namespace = "shop"
	}
	actions := pick(g,
		[]policy.Action{policy.ActionBlock},
		[]policy.Action{policy.ActionBlock, policy.ActionAudit},
		[]policy.Action{policy.ActionBlock, policy.ActionAudit, policy.ActionAllow},
		[]policy.Action{policy.ActionAllow, policy.ActionBlock},
		[]policy.Action{policy.ActionAllow},
	)
	n := 1 + g.random.IntN(12)
	if g.oneIn(50) {
		n = 1 + g.random.IntN(g.o.MostRules)
	}
	for at := range n {
		r := g.rule(p.Rules)
		r.At, r.Action, r.Severity = fmt.Sprintf("rule[%d]", at), pick(g, actions...), g.random.IntN(4)
		p.Rules = append(p.Rules, r)
	}
	return p
}

// rule is often one of before with another action or other conditions: equally specific.
func (g *Generator) rule(before []policy.Rule) policy.Rule {
	if len(before) > 0 && g.oneIn(6) {
		r := pick(g, before...)
		g.narrow(&r)
		return r
	}
	r := policy.Rule{Domain: pick(g, g.o.Domains...)}
	switch r.Domain {
	case policy.DomainNetwork:
		r.Protocol = pick(g, protocols()...)
	case policy.DomainCapabilities:
		r.Capability = pick(g, capabilities()...)
	case policy.DomainDNS:
		r.DNSName = g.dnsRule()
	default:
		g.what(&r)
	}
	g.narrow(&r)
	return r
}

// what names a path in one of the ways that rules of processes and files have.
func (g *Generator) what(r *policy.Rule) {
	path := g.near()
	switch g.random.IntN(8) {
	case 0, 1, 2:
		r.Path = path
	case 3, 4:
		r.Directory, r.Recursive = g.directory(path), g.coin()
	case 5:
		if r.Domain == policy.DomainProcess {
			r.ExecName = base(path)
			return
		}
		r.Directory, r.Recursive = g.directory(path), true
	default:
		r.Pattern = g.pattern(path)
	}
}

// narrow gives a rule conditions and sources, those that its kind may have; mostly none.
func (g *Generator) narrow(r *policy.Rule) {
	onPath := r.Domain == policy.DomainProcess || r.Domain == policy.DomainFile
	r.OwnerOnly = onPath && g.oneIn(6)
	r.ReadOnly = r.Domain == policy.DomainFile && g.oneIn(4)
	r.NoTerminal = (r.Domain == policy.DomainProcess && r.Pattern == "" || r.Domain == policy.DomainNetwork) && g.oneIn(6)
	r.AllowedArgs, r.Sources = nil, nil
	if r.Domain == policy.DomainProcess && (r.Path != "" || r.ExecName != "") && g.oneIn(4) {
		r.AllowedArgs = g.arguments(1 + g.random.IntN(20))
	}
	if r.Pattern == "" && g.oneIn(3) {
		for range 1 + g.random.IntN(3) {
			r.Sources = append(r.Sources, policy.Source{Path: pick(g, g.sources...)})
		}
	}
}

// arguments are few words, so that lists overlap; each is there once.
func (g *Generator) arguments(n int) []string {
	words := []string{"-v", "-h", "--help", "", "-", "a b", "\xff", "/etc/shadow", "-vv", "1234567", "12345678", "123456789", long("x", 300)}
	g.random.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	return words[:min(n, len(words))]
}

func (g *Generator) coin() bool { return g.random.IntN(2) == 0 }

func (g *Generator) oneIn(n int) bool { return g.random.IntN(n) == 0 }

func pick[T any](g *Generator, from ...T) T { return from[g.random.IntN(len(from))] }
