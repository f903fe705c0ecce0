// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// Operation makes one that a rule of the workload matches, or nearly. Call it for the workload that was made last.
func (g *Generator) Operation(w model.Workload) model.Operation {
	r := g.target(w)
	op := model.Operation{
		Source: g.source(r), Terminal: g.oneIn(3),
		UID: uint32(g.random.IntN(3)), Owner: uint32(g.random.IntN(3)), New: g.oneIn(10),
		NewOwner: uint32(g.random.IntN(3)), Replaces: g.coin(),
	}
	switch r.Domain {
	case policy.DomainProcess:
		op.Kind, op.Path, op.Args, op.New = model.Exec, g.hit(r), g.called(r), false
	case policy.DomainFile:
		op.Kind = pick(g, model.Read, model.Read, model.Read, model.Write, model.Write, model.Create, model.Delete, model.Rename, model.Link, model.Chmod)
		op.Path = g.hit(r)
		if op.Kind == model.Rename || op.Kind == model.Link {
			op.NewPath = g.hit(g.targetOf(w, policy.DomainFile))
			if g.coin() {
				op.Path, op.NewPath = op.NewPath, op.Path
			}
			g.leaving(w, &op)
		}
		op.New = op.New && op.Kind != model.Rename && op.Kind != model.Link || op.Kind == model.Create
	case policy.DomainNetwork:
		op.Kind = pick(g, model.Socket, model.Bind, model.Listen, model.Connect, model.Accept, model.Sendmsg)
		op.Family, op.Type, op.Protocol = g.socket(r.Protocol)
	case policy.DomainCapabilities:
		op.Kind, op.Capability = model.Capable, pick(g, r.Capability, pick(g, capabilities()...))
	case policy.DomainDNS:
		op.Kind, op.Name = model.DNS, g.dnsName(r.DNSName)
	}
	if r.Domain == policy.DomainProcess || r.Domain == policy.DomainFile {
		op.Unresolved, op.Object = g.oneIn(60), g.oneIn(60)
		op.Object = op.Object && !op.Unresolved && (op.Kind == model.Exec || op.Kind == model.Read || op.Kind == model.Write)
	}
	return op
}

// leaving makes the old name one that a rule of the process domain blocks, or a directory that a rule names something in.
func (g *Generator) leaving(w model.Workload, op *model.Operation) {
	switch g.random.IntN(4) {
	case 0:
		op.Path = g.hit(g.targetOf(w, policy.DomainProcess))
	case 1:
		if op.Kind == model.Rename {
			op.Directory = true
			op.Path = strings.TrimSuffix(g.directory(g.hit(g.targetOf(w, pick(g, g.o.Domains...)))), "/")
		}
	}
	if op.Path == "" {
		op.Path = "/"
	}
}

// target is the rule to hit: any, and where there is none, one that is in no policy.
func (g *Generator) target(w model.Workload) policy.Rule {
	p := pick(g, w.Policies...).Policy
	if len(p.Rules) == 0 || g.oneIn(30) {
		return g.rule(nil)
	}
	return pick(g, p.Rules...)
}

func (g *Generator) targetOf(w model.Workload, d policy.Domain) policy.Rule {
	for range 5 {
		if r := g.target(w); r.Domain == d {
			return r
		}
	}
	return policy.Rule{Domain: d, Path: g.near()}
}

// hit is a path that the rule matches, in a third of the cases changed a little.
func (g *Generator) hit(r policy.Rule) string {
	var path string
	switch {
	case r.Path != "":
		path = r.Path
	case r.ExecName != "":
		path = clip(pick(g, "", pick(g, g.paths...), g.path()) + "/" + r.ExecName)
	case r.Directory != "":
		path = clip(r.Directory + g.name())
		if g.oneIn(3) {
			path = clip(path + g.path())
		}
		if g.oneIn(10) {
			path = clip(r.Directory)
		}
	case r.Pattern != "":
		path = g.instance(r.Pattern)
	default:
		path = g.near()
	}
	switch g.random.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		return g.mutate(path)
	case 6:
		return g.mutate(g.mutate(path))
	case 7:
		return pick(g, g.paths...)
	case 8:
		if g.oneIn(10) {
			return "/"
		}
	}
	return path
}

// source is one of the rule's, or of another's, or nearly one, or none.
func (g *Generator) source(r policy.Rule) string {
	switch {
	case len(r.Sources) > 0 && !g.oneIn(4):
		return pick(g, r.Sources...).Path
	case g.oneIn(20):
		return ""
	case g.oneIn(6):
		return g.mutate(pick(g, g.sources...))
	default:
		return pick(g, g.sources...)
	}
}

// called are arguments, most of which the rule allows.
func (g *Generator) called(r policy.Rule) []string {
	var out []string
	for range g.random.IntN(4) {
		if len(r.AllowedArgs) > 0 && !g.oneIn(5) {
			out = append(out, pick(g, r.AllowedArgs...))
		} else {
			out = append(out, g.arguments(1)...)
		}
	}
	return out
}

func protocols() []string {
	return strings.Fields("tcp udp icmp icmpv6 sctp dccp raw packet stream dgram rdm seqpacket all")
}

// socket is one that the word means, or one that differs in one number.
func (g *Generator) socket(word string) (family, kind, protocol int) {
	family, kind, protocol, known := model.SocketOf(word)
	if !known {
		family, kind, protocol, _ = model.SocketOf(pick(g, protocols()...))
	}
	switch g.random.IntN(6) {
	case 0:
		family = pick(g, 1, 2, 10, 16, 17, 30, 40)
	case 1:
		kind = 1 + g.random.IntN(6)
	case 2:
		protocol = pick(g, 0, 1, 6, 17, 33, 58, 132, 136, 255, 262, 768)
	}
	return family, kind, protocol
}

func capabilities() []string {
	return []string{
		"chown", "kill", "net_raw", "net_admin", "sys_admin", "checkpoint_restore", "dac_override", "fowner", "mknod", "lease",
		"sys_chroot", "sys_nice", "net_bind_service", "setgid", "setuid", "setpcap", "sys_boot", "sys_module", "wake_alarm",
	}
}
