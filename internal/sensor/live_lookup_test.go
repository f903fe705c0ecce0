// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// lookupCase is one way to look up.
type lookupCase struct {
	rules   []compile.Rule
	posture compile.Action
	do      []string
	errno   syscall.Errno
	// rule that must have sent an event; none if it is 0.
	rule compile.RuleID
	// resource is what the event must begin with.
	resource string
}

func TestNamesAreNotLookedUp(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	if slices.Contains(stats(t, r.core).Missing, HookLookup) {
		t.Fatal("this kernel's core does not look into queries")
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	w := r.workload("confined")
	names := compile.DomainDNS
	name := func(action compile.Action, name string) compile.Rule {
		match := compile.MatchName
		if strings.HasPrefix(name, "*.") {
			match = compile.MatchWildcard
		}
		return with(rule(action, names, match, name), func(*compile.Rule) {})
	}
	evil, below := name(compile.ActionBlock, "evil.example"), name(compile.ActionBlock, "*.evil.example")
	allowed, deeper := name(compile.ActionAllow, "evil.example"), name(compile.ActionAllow, "*.a.evil.example")
	watched := name(compile.ActionAudit, "evil.example")
	fromSelf := with(evil, func(r *compile.Rule) { r.Source = self })
	fromOther := with(evil, func(r *compile.Rule) { r.Source = "/usr/bin/other" })
	only := func(rules ...compile.Rule) []compile.Rule { return rules }
	denied := unix.EPERM
	tests := map[string]lookupCase{
		"a name":                               {only(evil), 0, []string{"udp", "Evil.Example"}, denied, evil.ID, "domain=Evil.Example protocol=UDP server=127.0.0.1:53"},
		"over IPv6":                            {only(evil), 0, []string{"udp6", "evil.example"}, denied, evil.ID, "domain=evil.example protocol=UDP server=[::1]:53"},
		"by a connected socket":                {only(evil), 0, []string{"connected", "evil.example"}, denied, evil.ID, ""},
		"in a datagram that is cut":            {only(evil), 0, []string{"large", "evil.example"}, denied, evil.ID, ""},
		"another name":                         {only(evil, below), 0, []string{"udp", "good.example"}, 0, 0, ""},
		"a name below":                         {only(evil, below), 0, []string{"udp", "a.b.evil.example"}, denied, below.ID, ""},
		"a name below, of the name alone":      {only(evil), 0, []string{"udp", "a.evil.example"}, 0, 0, ""},
		"the longest wildcard":                 {only(below, deeper), 0, []string{"udp", "b.a.evil.example"}, 0, 0, ""},
		"a name beats wildcards":               {only(allowed, name(compile.ActionBlock, "*.example")), 0, []string{"udp", "evil.example"}, 0, 0, ""},
		"the second of two questions":          {only(evil), 0, []string{"udp", "good.example", "evil.example"}, denied, evil.ID, "domain=evil.example"},
		"an answer":                            {only(evil), 0, []string{"answer", "evil.example"}, 0, 0, ""},
		"another port":                         {only(evil), 0, []string{"elsewhere", "evil.example"}, 0, 0, ""},
		"what is audited":                      {only(watched), 0, []string{"udp", "evil.example"}, 0, watched.ID, ""},
		"by this executable":                   {only(fromSelf), 0, []string{"udp", "evil.example"}, denied, fromSelf.ID, ""},
		"by another executable":                {only(fromOther), 0, []string{"udp", "evil.example"}, 0, 0, ""},
		"what an allow-list allows":            {only(allowed), compile.ActionBlock, []string{"udp", "evil.example"}, 0, 0, ""},
		"what an allow-list does not name":     {only(allowed), compile.ActionBlock, []string{"udp", "good.example"}, denied, RulePosture, "domain=good.example"},
		"what cannot be read":                  {only(evil), 0, []string{"compressed"}, denied, RuleUnresolved, "domain= protocol=UDP"},
		"what cannot be read where none block": {only(allowed), 0, []string{"compressed"}, 0, 0, ""},
		"more questions than one is asked":     {only(evil), 0, []string{"udp", "a", "b", "c", "d", "e"}, denied, RuleUnresolved, "domain=a"},
		"several datagrams in one":             {only(evil), 0, []string{"segments", "evil.example"}, denied, RuleUnresolved, ""},
		"over TCP":                             {only(evil), 0, []string{"tcp", "evil.example"}, denied, evil.ID, "domain=evil.example protocol=TCP server=127.0.0.1:53"},
		"another name over TCP":                {only(evil), 0, []string{"tcp", "good.example"}, 0, 0, ""},
		"the second of two over TCP":           {only(evil), 0, []string{"two", "good.example", "evil.example"}, denied, evil.ID, ""},
		"two other names over TCP":             {only(evil), 0, []string{"two", "good.example", "fine.example"}, 0, 0, ""},
		"in pieces over TCP":                   {only(evil), 0, []string{"pieces", "evil.example"}, denied, evil.ID, ""},
		"another name in pieces over TCP":      {only(evil), 0, []string{"pieces", "good.example"}, 0, RuleUnresolved, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { r.lookUp(t, w, test) })
	}
}

func (r *rig) lookUp(t *testing.T, w *workload, c lookupCase) {
	t.Helper()
	w.t, r.t = t, t
	posture := map[compile.Domain]compile.Action{}
	if c.posture != 0 {
		posture[compile.DomainDNS] = c.posture
	}
	r.confinePosture(map[*workload][]compile.Rule{w: c.rules}, posture)
	r.take()
	errno, pid := w.doAs("lookup", c.do...)
	if errno != c.errno {
		t.Errorf("%s: %v, want %v", c.do, errno, c.errno)
	}
	found := 0
	for _, e := range r.take() {
		if e.Operation != OperationLookup || e.Rule != c.rule && (c.errno == 0 || e.Rule != RuleUnresolved) {
			t.Errorf("an event of another rule or operation: %+v", e)
			continue
		}
		if e.Rule == c.rule {
			found++
		}
		if e.Rule == c.rule && (!strings.HasPrefix(e.Resource, c.resource) || e.HostPID != pid && e.HostPID != 0) {
			t.Errorf("event of process %d: %+v; want %s of %d", e.HostPID, e, c.resource, pid)
		}
	}
	if (found > 0) != (c.rule != 0) {
		t.Errorf("%d events of rule %x", found, uint64(c.rule))
	}
}

func TestLookupsAreObserved(t *testing.T) {
	r := newRig(t, Options{Mode: ModeObserve})
	w := r.workload("confined")
	evil := with(block(compile.DomainDNS, compile.MatchName, "evil.example"), func(*compile.Rule) {})
	r.lookUp(t, w, lookupCase{rules: []compile.Rule{evil}, do: []string{"udp", "evil.example"}, rule: evil.ID, resource: "domain=evil.example"})
}
