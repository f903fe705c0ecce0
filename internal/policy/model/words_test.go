// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// The tables of this package are written in words. A line of a policy is
//
//	[NAME:] DOMAIN ACTION WHAT [CONDITION…] [from SOURCE…]
//
// for instance "b: file Block path /etc/shadow readOnly from /bin/cat". Rules of the same name (p when there is none) are
// one policy, KubeArmorPolicy shop/NAME; their places are 0, 1, 2 there. An operation is "write /etc/shadow by /bin/cat".
// The verdict is "Block b 0", "Block DefaultPosture", or "Allow" where nothing decided.

// workload makes a workload of the lines.
func workload(tb testing.TB, lines ...string) Workload {
	tb.Helper()
	var w Workload
	for _, line := range lines {
		name, rule, named := strings.Cut(line, ": ")
		if !named {
			name, rule = "p", line
		}
		at := slices.IndexFunc(w.Policies, func(s Selected) bool { return s.Policy.Ref.Name == name })
		if at < 0 {
			at = len(w.Policies)
			ref := policy.Ref{Kind: policy.KindPolicy, Namespace: "shop", Name: name}
			w.Policies = append(w.Policies, Selected{Policy: policy.Policy{Ref: ref}})
		}
		p := &w.Policies[at].Policy
		p.Rules = append(p.Rules, ruleOf(tb, strconv.Itoa(len(p.Rules)), rule))
	}
	return w
}

func ruleOf(tb testing.TB, at, line string) policy.Rule {
	tb.Helper()
	words := strings.Fields(line)
	r := policy.Rule{At: at}
	domains := map[string]policy.Domain{"preset": 0}
	for d := policy.DomainProcess; d < policy.Domains; d++ {
		domains[d.String()] = d
	}
	r.Domain = domains[words[0]]
	r.Action = map[string]policy.Action{"Allow": policy.ActionAllow, "Audit": policy.ActionAudit, "Block": policy.ActionBlock}[words[1]]
	texts := map[string]*string{
		"path": &r.Path, "execname": &r.ExecName, "dir": &r.Directory, "tree": &r.Directory, "pattern": &r.Pattern,
		"protocol": &r.Protocol, "name": &r.DNSName, "capability": &r.Capability, "preset": &r.Preset,
	}
	for i := 2; i < len(words); i++ {
		if text := texts[words[i]]; text != nil {
			r.Recursive = words[i] == "tree"
			i++
			*text = words[i]
			continue
		}
		switch word := words[i]; word {
		case "ownerOnly":
			r.OwnerOnly = true
		case "readOnly":
			r.ReadOnly = true
		case "noTerminal":
			r.NoTerminal = true
		case "args", "syscalls", "severity", "from", "fromDir", "fromTree":
			i++
			listed(tb, &r, word, words[i])
		default:
			tb.Fatalf("rule %q: what is %q?", line, word)
		}
	}
	return r
}

func listed(tb testing.TB, r *policy.Rule, word, value string) {
	tb.Helper()
	switch word {
	case "args":
		r.AllowedArgs = strings.Split(value, ",")
	case "syscalls":
		r.Syscalls = strings.Split(value, ",")
	case "severity":
		r.Severity = number(tb, value)
	case "from":
		r.Sources = append(r.Sources, policy.Source{Path: value})
	default:
		r.Sources = append(r.Sources, policy.Source{Directory: value, Recursive: word == "fromTree"})
	}
}

func number(tb testing.TB, text string) int {
	tb.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// operation of a line: KIND [WHAT] [to NEWPATH] [by SOURCE] [uid N] [owner N] [new] [args a,b] [terminal] [unresolved]…
func operation(tb testing.TB, line string) Operation {
	tb.Helper()
	words := strings.Fields(line)
	op := Operation{Kind: Kind(words[0])}
	for i := 1; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch word := words[i]; word {
		case "terminal":
			op.Terminal = true
		case "unresolved":
			op.Unresolved = true
		case "object":
			op.Object = true
		case "unlinked":
			op.Unlinked = true
		case "directory":
			op.Directory = true
		case "new":
			op.New = true
		case "entered":
			op.Entered = true
		case "to", "by", "uid", "owner", "replacing", "args", "pid", "on":
			i++
			valued(tb, &op, word, value)
		default:
			named(&op, word)
		}
	}
	return op
}

func valued(tb testing.TB, op *Operation, word, value string) {
	tb.Helper()
	switch word {
	case "to":
		op.NewPath = value
	case "by":
		op.Source = value
	case "uid":
		op.UID = uint32(number(tb, value))
	case "owner":
		op.Owner = uint32(number(tb, value))
	case "replacing":
		op.Replaces, op.NewOwner = true, uint32(number(tb, value))
	case "args":
		op.Args = strings.Split(value, ",")
	case "pid":
		op.PID = number(tb, value)
	case "on":
		op.Path = value
	}
}

// named reads the word that says what the operation is on. A socket is family/type/protocol.
func named(op *Operation, word string) {
	switch op.Kind.Domain() {
	case policy.DomainNetwork:
		if _, err := fmt.Sscanf(word, "%d/%d/%d", &op.Family, &op.Type, &op.Protocol); err != nil {
			op.Family, op.Type, op.Protocol, _ = SocketOf(word)
		}
	case policy.DomainCapabilities:
		op.Capability = word
	case policy.DomainDNS:
		op.Name = word
	case policy.DomainSyscalls:
		op.Syscall = word
	default:
		op.Path = word
	}
}

// brief is a verdict in words.
func brief(v Verdict) string {
	switch {
	case v.Ref.Name != "":
		return fmt.Sprintf("%s %s %s", v.Action, v.Ref.Name, v.Rule)
	case v.Policy != "":
		return fmt.Sprintf("%s %s", v.Action, v.Policy)
	default:
		return v.Action.String()
	}
}

// sentence is one row of a table.
type sentence struct {
	rules     []string
	operation string
	want      string
}

// hold judges every row, in several orders of its policies and rules. prepare may change the workload.
func hold(t *testing.T, sentences map[string]sentence, prepare func(*Workload)) {
	t.Helper()
	for name, tt := range sentences {
		t.Run(name, func(t *testing.T) {
			w := workload(t, tt.rules...)
			if prepare != nil {
				prepare(&w)
			}
			op := operation(t, tt.operation)
			if err := op.Check(); err != nil {
				t.Fatal(err)
			}
			v := w.Judge(op)
			if got := brief(v); got != tt.want {
				t.Errorf("%s: got %q, want %q (%s)", tt.operation, got, tt.want, v.Reason)
			}
			slices.Reverse(w.Policies)
			for i := range w.Policies {
				slices.Reverse(w.Policies[i].Policy.Rules)
			}
			if got := w.Judge(op); got.Reason != v.Reason || brief(got) != brief(v) {
				t.Errorf("in reverse order the verdict is %q (%s)", brief(got), got.Reason)
			}
		})
	}
}

// posture sets all postures.
func posture(p policy.Posture) func(*Workload) {
	return func(w *Workload) {
		w.Postures = map[policy.Domain]policy.Posture{
			policy.DomainFile: p, policy.DomainNetwork: p, policy.DomainCapabilities: p,
		}
	}
}
