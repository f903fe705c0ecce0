// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// forgotten finds what an allow-list does not allow although what it allows cannot do without.
func forgotten(p policy.Policy) []Warning {
	l := list{rules: p.Rules, any: anySource(p, policy.ActionBlock), passing: anySource(p, policy.ActionAudit)}
	return slices.Concat(l.interpreters(), l.sources(), l.loader(), l.resolver())
}

// list asks the reference model what the allow-lists of a policy forget.
type list struct {
	rules []policy.Rule
	// any has all rules, passing those that do not block; both whatever source they are for.
	any, passing model.Workload
}

// anySource is a workload with the rules of at most an action, their sources left out.
func anySource(p policy.Policy, most policy.Action) model.Workload {
	rules := make([]policy.Rule, 0, len(p.Rules))
	for _, r := range p.Rules {
		if r.Sources = nil; r.Action <= most {
			rules = append(rules, r)
		}
	}
	p.Rules = rules
	return model.Workload{Policies: []model.Selected{{Policy: p}}}
}

// concerns says whether a rule is on an operation, whatever its conditions: what is blocked was not forgotten either.
func (l list) concerns(op model.Operation) bool {
	return l.any.Judge(op).Policy != model.DefaultPosture
}

// allows says whether a rule lets an operation of an allow-list pass.
func (l list) allows(op model.Operation) bool {
	return l.passing.Judge(op).Policy != model.DefaultPosture
}

func executed(path string) model.Operation { return model.Operation{Kind: model.Exec, Path: path} }

func read(path string) model.Operation { return model.Operation{Kind: model.Read, Path: path} }

// first Allow rule of a domain: the one that makes it an allow-list.
func (l list) first(d policy.Domain) (string, bool) {
	for i := range l.rules {
		if r := &l.rules[i]; r.Domain == d && r.Action == policy.ActionAllow && r.Preset == "" {
			return r.At, true
		}
	}
	return "", false
}

// interpreters of allowed scripts: the kernel executes the script and then its interpreter.
func (l list) interpreters() []Warning {
	var found []Warning
	allowed := map[string]bool{}
	for i := range l.rules {
		r := &l.rules[i]
		name := path.Base(r.Path)
		if r.Path == "" {
			name = r.ExecName
		}
		language, isScript := languageOf(name)
		if r.Domain != policy.DomainProcess || r.Action != policy.ActionAllow || !isScript {
			continue
		}
		if _, known := allowed[language[0]]; !known {
			allowed[language[0]] = l.allowsInterpreter(language)
		}
		if allowed[language[0]] {
			continue
		}
		found = append(found, Warning{r.At, fmt.Sprintf(
			"allows the script %s, and no rule allows its interpreter, which is executed too; add for instance %s", name, language[0])})
	}
	return found
}

func (l list) allowsInterpreter(paths []string) bool {
	if slices.ContainsFunc(paths, func(path string) bool { return l.allows(executed(path)) }) {
		return true
	}
	// An interpreter of another version or place: python3.12 for python3.
	return slices.ContainsFunc(l.rules, func(r policy.Rule) bool {
		name := path.Base(r.Path)
		if r.Path == "" {
			name = r.ExecName
		}
		return r.Domain == policy.DomainProcess && r.Action < policy.ActionBlock && slices.ContainsFunc(paths, func(known string) bool {
			return name != "" && strings.HasPrefix(name, strings.TrimRight(path.Base(known), "0123456789."))
		})
	})
}

// languageOf a script, by its name: the usual paths of its interpreter.
func languageOf(name string) ([]string, bool) {
	shells := []string{"/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash", "/bin/dash", "/usr/bin/dash", "/bin/busybox"}
	languages := map[string][]string{
		".sh": shells, ".bash": shells,
		".py":  {"/usr/bin/python3", "/usr/local/bin/python3", "/usr/bin/python"},
		".pl":  {"/usr/bin/perl", "/usr/local/bin/perl"},
		".rb":  {"/usr/bin/ruby", "/usr/local/bin/ruby"},
		".js":  {"/usr/bin/node", "/usr/local/bin/node"},
		".php": {"/usr/bin/php", "/usr/local/bin/php"},
	}
	if paths, found := languages[path.Ext(name)]; found {
		return paths, true
	}
	return shells, strings.HasSuffix(name, "entrypoint")
}

// sources that an allow-list of processes starts others from, and that it does not let start.
func (l list) sources() []Warning {
	const most = 50
	var found []Warning
	told := map[string]bool{}
	for i := range l.rules {
		r := &l.rules[i]
		if r.Domain != policy.DomainProcess || r.Action != policy.ActionAllow {
			continue
		}
		for _, s := range r.Sources {
			if told[s.Path] || len(told) == most {
				continue
			}
			told[s.Path] = true
			if l.concerns(executed(s.Path)) {
				continue
			}
			found = append(found, Warning{r.At, fmt.Sprintf(
				"is for what %s starts, and no rule allows %s itself to be executed; add a rule for it", s.Path, s.Path)})
		}
	}
	return found
}

// loader: what every dynamically linked program reads before its first own instruction, and the program itself.
func (l list) loader() []Warning {
	at, isList := l.first(policy.DomainFile)
	if !isList {
		return nil
	}
	var missing []string
	for _, need := range []struct {
		name  string
		paths []string
	}{
		{"the loader and libraries (/lib/, /lib64/, /usr/lib/)", libraries()},
		{"/etc/ld.so.cache", []string{"/etc/ld.so.cache"}},
		{"the programs themselves (/usr/bin/, …; executing a file reads it)", programs()},
	} {
		if !slices.ContainsFunc(need.paths, func(path string) bool { return l.concerns(read(path)) }) {
			missing = append(missing, need.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []Warning{{at, "makes file an allow-list that forgets " + strings.Join(missing, ", and ") +
		"; allow what the workload reads with readOnly: true"}}
}

func libraries() []string {
	return []string{
		"/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/aarch64-linux-gnu/libc.so.6", "/usr/lib/aarch64-linux-gnu/libc.so.6",
		"/lib64/libc.so.6", "/usr/lib64/libc.so.6", "/lib/libc.so.6", "/usr/lib/libc.so.6",
		"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
		"/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1",
	}
}

func programs() []string {
	var paths []string
	for _, directory := range []string{"/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/", "/app/", "/opt/"} {
		paths = append(paths, directory+"program")
	}
	return append(paths, "/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash", "/bin/cat", "/usr/bin/cat")
}

// resolver: an allow-list of protocols that leaves no way to look up a name.
func (l list) resolver() []Warning {
	at, isList := l.first(policy.DomainNetwork)
	if !isList {
		return nil
	}
	family, kind, protocol, _ := model.SocketOf("udp")
	if l.concerns(model.Operation{Kind: model.Socket, Family: family, Type: kind, Protocol: protocol}) {
		return nil
	}
	return []Warning{{at, "makes network an allow-list that forgets udp, without which no name is looked up; " +
		"add protocol: udp if the workload needs it"}}
}
