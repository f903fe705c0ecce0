// SPDX-License-Identifier: Apache-2.0

// Package example holds one workload and one operation: makes them smaller as long as something is true of them, and prints
// them as a user would write them.
package example

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
)

// Example is one workload and one operation on which two sides do not agree.
type Example struct {
	Workload  model.Workload
	Operation model.Operation
}

// Shrink makes an example smaller as long as it stays one: without whole policies, without rules, without the parts of
// rules and of the operation, with shorter paths. It tries each step until none helps any more.
func Shrink(e Example, differs func(Example) bool) Example {
	for {
		smaller, found := step(e, differs)
		if !found {
			return e
		}
		e = smaller
	}
}

func step(e Example, differs func(Example) bool) (Example, bool) {
	for _, attempts := range []func(Example) []Example{
		withoutLinks, withoutPolicies, withoutRules, plainerRules, plainerOperation, withoutNames, shorterNames, shorterDomains,
	} {
		for _, smaller := range attempts(e) {
			if differs(smaller) {
				return smaller, true
			}
		}
	}
	return e, false
}

func withoutLinks(e Example) []Example {
	links, _ := e.Workload.Root.(generate.Links)
	var out []Example
	for from := range links {
		next := e
		fewer := maps.Clone(links)
		delete(fewer, from)
		next.Workload.Root = fewer
		if len(fewer) == 0 {
			next.Workload.Root = nil
		}
		out = append(out, next)
	}
	return out
}

func withoutPolicies(e Example) []Example {
	var out []Example
	for i := range e.Workload.Policies {
		next := e
		next.Workload.Policies = slices.Delete(slices.Clone(e.Workload.Policies), i, i+1)
		out = append(out, next)
	}
	return out
}

// withoutRules leaves out half of a policy's rules, then a quarter, and at last each single one.
func withoutRules(e Example) []Example {
	var out []Example
	for i := range e.Workload.Policies {
		rules := e.Workload.Policies[i].Policy.Rules
		for size := max(len(rules)/2, 1); size >= 1 && len(rules) > 0; size /= 2 {
			for from := 0; from < len(rules); from += size {
				next := Example{Clone(e.Workload), e.Operation}
				p := &next.Workload.Policies[i].Policy
				p.Rules = slices.Delete(p.Rules, from, min(from+size, len(rules)))
				out = append(out, next)
			}
		}
	}
	return out
}

// plainerRules takes from one rule one thing that it need not have.
func plainerRules(e Example) []Example {
	plain := []func(*policy.Rule) bool{
		func(r *policy.Rule) bool { had := r.OwnerOnly; r.OwnerOnly = false; return had },
		func(r *policy.Rule) bool { had := r.ReadOnly; r.ReadOnly = false; return had },
		func(r *policy.Rule) bool { had := r.NoTerminal; r.NoTerminal = false; return had },
		func(r *policy.Rule) bool { had := len(r.AllowedArgs) > 0; r.AllowedArgs = nil; return had },
		func(r *policy.Rule) bool {
			had := len(r.AllowedArgs) > 1
			r.AllowedArgs = head(r.AllowedArgs)
			return had
		},
		func(r *policy.Rule) bool { had := len(r.Sources) > 0; r.Sources = nil; return had },
		func(r *policy.Rule) bool { had := len(r.Sources) > 1; r.Sources = head(r.Sources); return had },
		func(r *policy.Rule) bool { had := len(r.Sources) > 1; r.Sources = tail(r.Sources); return had },
		func(r *policy.Rule) bool { had := r.Severity != 0; r.Severity = 0; return had },
	}
	var out []Example
	for i := range e.Workload.Policies {
		for j := range e.Workload.Policies[i].Policy.Rules {
			for _, change := range plain {
				next := Example{Clone(e.Workload), e.Operation}
				if change(&next.Workload.Policies[i].Policy.Rules[j]) {
					out = append(out, next)
				}
			}
		}
	}
	return out
}

func head[T any](list []T) []T { return slices.Clone(list[:min(len(list), 1)]) }

func tail[T any](list []T) []T { return slices.Clone(list[min(len(list), 1):]) }

func plainerOperation(e Example) []Example {
	var out []Example
	add := func(had bool, change func(*model.Operation)) {
		if had {
			next := e
			change(&next.Operation)
			out = append(out, next)
		}
	}
	op := e.Operation
	twoPaths := op.Kind == model.Rename || op.Kind == model.Link
	add(twoPaths, func(o *model.Operation) { o.Kind, o.NewPath = model.Write, "" })
	add(twoPaths, func(o *model.Operation) {
		o.Kind, o.Path, o.NewPath, o.New, o.Owner = model.Write, o.NewPath, "", !o.Replaces, o.NewOwner
	})
	add(op.Kind.Domain() == policy.DomainFile && op.Kind != model.Write && op.Kind != model.Read && !twoPaths,
		func(o *model.Operation) { o.Kind = model.Write })
	add(op.Source != "", func(o *model.Operation) { o.Source = "" })
	add(len(op.Args) > 0, func(o *model.Operation) { o.Args = nil })
	add(len(op.Args) > 1, func(o *model.Operation) { o.Args = head(o.Args) })
	add(len(op.Args) > 1, func(o *model.Operation) { o.Args = tail(o.Args) })
	add(op.Terminal, func(o *model.Operation) { o.Terminal = false })
	add(op.Directory, func(o *model.Operation) { o.Directory = false })
	add(op.New, func(o *model.Operation) { o.New = false })
	add(op.UID != 0 || op.Owner != 0, func(o *model.Operation) { o.UID, o.Owner = 0, 0 })
	add(op.NewOwner != 0, func(o *model.Operation) { o.NewOwner = 0 })
	add(op.Replaces, func(o *model.Operation) { o.Replaces = false })
	return out
}

// withoutNames leaves out many components everywhere: half of them, then a quarter, and so on.
func withoutNames(e Example) []Example {
	names := namesIn(e)
	var out []Example
	for size := len(names) / 2; size >= 2; size /= 2 {
		for from := 0; from < len(names); from += size {
			next, possible := e, true
			for _, name := range names[from:min(from+size, len(names))] {
				var fine bool
				next, fine = renamed(next, name, "")
				possible = possible && fine
			}
			if possible {
				out = append(out, next)
			}
		}
	}
	return out
}

// shorterNames leaves out a component everywhere, or gives it a shorter or plainer name everywhere: in the rules, their sources, the
// operation's paths and its source.
func shorterNames(e Example) []Example {
	var out []Example
	for _, name := range namesIn(e) {
		for _, shorter := range []string{"", "a", "b", name[:len(name)/2], name[:len(name)-1]} {
			plainer := len(shorter) == len(name) && !isPlain(name) && shorter != name
			if len(shorter) >= len(name) && !plainer || shorter == "." || shorter == ".." {
				continue
			}
			if next, possible := renamed(e, name, shorter); possible {
				out = append(out, next)
			}
		}
	}
	return out
}

// isPlain says whether a name is of letters alone.
func isPlain(name string) bool { return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == "" }

func namesIn(e Example) []string {
	var names []string
	eachPath(&e, func(path string) string {
		names = append(names, strings.Split(path, "/")...)
		return path
	})
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	return names[:min(len(names), 200)]
}

// renamed says false when a path would be none any more.
func renamed(e Example, name, shorter string) (Example, bool) {
	next := Example{Clone(e.Workload), e.Operation}
	possible := true
	eachPath(&next, func(path string) string {
		parts := strings.Split(path, "/")
		kept := parts[:0:0]
		for _, part := range parts {
			if part == name {
				part = shorter
				if part == "" {
					continue
				}
			}
			kept = append(kept, part)
		}
		out := strings.Join(kept, "/")
		possible = possible && (out != "" && (out != "/" || path == "/") || path == "")
		return out
	})
	return next, possible
}

// eachPath lets change every path of the example.
func eachPath(e *Example, change func(string) string) {
	e.Workload = Clone(e.Workload)
	for i := range e.Workload.Policies {
		rules := e.Workload.Policies[i].Policy.Rules
		for j := range rules {
			r := &rules[j]
			for _, path := range []*string{&r.Path, &r.Directory, &r.Pattern, &r.ExecName} {
				*path = change(*path)
			}
			r.Sources = slices.Clone(r.Sources)
			for k := range r.Sources {
				r.Sources[k].Path = change(r.Sources[k].Path)
			}
		}
	}
	op := &e.Operation
	for _, path := range []*string{&op.Path, &op.NewPath, &op.Source} {
		*path = change(*path)
	}
	if links, found := e.Workload.Root.(generate.Links); found {
		changed := generate.Links{}
		for from, to := range links {
			changed[change(from)] = change(to)
		}
		e.Workload.Root = changed
	}
}

// Clone copies as much of the workload as may be changed here.
func Clone(w model.Workload) model.Workload {
	w.Policies = slices.Clone(w.Policies)
	for i := range w.Policies {
		w.Policies[i].Policy.Rules = slices.Clone(w.Policies[i].Policy.Rules)
	}
	return w
}
