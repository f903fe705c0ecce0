// SPDX-License-Identifier: Apache-2.0

package example

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
)

// String gives the example as the policies that a user would write, and the command that asks the model.
func (e Example) String() string {
	var out strings.Builder
	for i := range e.Workload.Policies {
		out.WriteString("---\n" + document(e.Workload.Policies[i].Policy))
	}
	fmt.Fprintf(&out, "---\n%s\n", command(e.Workload, e.Operation))
	if links, found := e.Workload.Root.(generate.Links); found {
		for _, from := range slices.Sorted(maps.Keys(links)) {
			fmt.Fprintf(&out, "# --root with the symlink %s to %s\n", quoted(from), quoted(links[from]))
		}
	}
	return out.String()
}

// Placed gives every rule its place in the printed policy.
func (e Example) Placed() Example {
	e.Workload = Clone(e.Workload)
	for i := range e.Workload.Policies {
		next := map[string]int{}
		for j := range e.Workload.Policies[i].Policy.Rules {
			r := &e.Workload.Policies[i].Policy.Rules[j]
			list := listOf(r)
			r.At = fmt.Sprintf("spec.%s[%d]", list, next[list])
			next[list]++
		}
	}
	return e
}

func listOf(r *policy.Rule) string {
	switch {
	case r.Protocol != "":
		return "network.matchProtocols"
	case r.DNSName != "":
		return "network.matchDNSQueries"
	case r.Capability != "":
		return "capabilities.matchCapabilities"
	case r.Pattern != "":
		return r.Domain.String() + ".matchPatterns"
	case r.Directory != "":
		return r.Domain.String() + ".matchDirectories"
	default:
		return r.Domain.String() + ".matchPaths"
	}
}

// document is a policy as YAML; as JSON, which is YAML too, where its paths have control characters. Bytes that are no
// UTF-8 cannot be in it; they come out as U+FFFD.
func document(p policy.Policy) string {
	object := Policy(p)
	text, err := yaml.Marshal(object)
	if err != nil {
		text, err = json.MarshalIndent(object, "", "  ")
	}
	if err != nil {
		return fmt.Sprintf("# %v\n%+v\n", err, p)
	}
	return strings.TrimSuffix(string(text), "\n") + "\n"
}

// Policy is the policy as the API has it. What it selects is left open.
func Policy(p policy.Policy) runtime.Object {
	meta := metav1.ObjectMeta{Namespace: p.Ref.Namespace, Name: p.Ref.Name}
	kind := metav1.TypeMeta{APIVersion: securityv1.GroupVersion.String(), Kind: p.Ref.Kind}
	rules := rulesOf(p)
	if p.Ref.Kind == policy.KindClusterPolicy {
		return &securityv1.KubeArmorClusterPolicy{TypeMeta: kind, ObjectMeta: meta, Spec: securityv1.KubeArmorClusterPolicySpec{Rules: rules}}
	}
	return &securityv1.KubeArmorPolicy{TypeMeta: kind, ObjectMeta: meta, Spec: securityv1.KubeArmorPolicySpec{Rules: rules}}
}

func rulesOf(p policy.Policy) securityv1.Rules {
	var out securityv1.Rules
	for i := range p.Rules {
		r := &p.Rules[i]
		report := securityv1.Report{Action: securityv1.Action(r.Action.String()), Severity: securityv1.Severity(r.Severity)}
		var pts *bool
		if r.NoTerminal {
			pts = new(bool)
		}
		var sources []securityv1.MatchSource
		for _, s := range r.Sources {
			sources = append(sources, securityv1.MatchSource{Path: securityv1.AbsolutePath(s.Path)})
		}
		switch r.Domain {
		case policy.DomainProcess:
			process(&out.Process, r, report, pts, sources)
		case policy.DomainFile:
			file(&out.File, r, report, sources)
		case policy.DomainNetwork:
			out.Network.MatchProtocols = append(out.Network.MatchProtocols,
				securityv1.NetworkProtocol{Report: report, Protocol: securityv1.Protocol(r.Protocol), PTS: pts, FromSource: sources})
		case policy.DomainDNS:
			out.Network.MatchDNSQueries = append(out.Network.MatchDNSQueries,
				securityv1.DNSQuery{Report: report, Domain: r.DNSName, FromSource: sources})
		case policy.DomainCapabilities:
			out.Capabilities.MatchCapabilities = append(out.Capabilities.MatchCapabilities,
				securityv1.MatchCapability{Report: report, Capability: securityv1.Capability(r.Capability), FromSource: sources})
		}
	}
	return out
}

func process(s *securityv1.Process, r *policy.Rule, report securityv1.Report, pts *bool, sources []securityv1.MatchSource) {
	switch {
	case r.Pattern != "":
		s.MatchPatterns = append(s.MatchPatterns, securityv1.ProcessPattern{Report: report, Pattern: securityv1.Glob(r.Pattern), OwnerOnly: r.OwnerOnly})
	case r.Directory != "":
		s.MatchDirectories = append(s.MatchDirectories, securityv1.ProcessDirectory{
			Report: report, Directory: securityv1.AbsoluteDirectory(r.Directory), Recursive: r.Recursive, OwnerOnly: r.OwnerOnly, PTS: pts, FromSource: sources,
		})
	default:
		s.MatchPaths = append(s.MatchPaths, securityv1.ProcessPath{
			Report: report, Path: securityv1.AbsolutePath(r.Path), ExecName: r.ExecName, AllowedArgs: r.AllowedArgs, OwnerOnly: r.OwnerOnly, PTS: pts, FromSource: sources,
		})
	}
}

func file(s *securityv1.File, r *policy.Rule, report securityv1.Report, sources []securityv1.MatchSource) {
	switch {
	case r.Pattern != "":
		s.MatchPatterns = append(s.MatchPatterns, securityv1.FilePattern{
			Report: report, Pattern: securityv1.Glob(r.Pattern), OwnerOnly: r.OwnerOnly, ReadOnly: r.ReadOnly,
		})
	case r.Directory != "":
		s.MatchDirectories = append(s.MatchDirectories, securityv1.FileDirectory{
			Report: report, Directory: securityv1.AbsoluteDirectory(r.Directory), Recursive: r.Recursive, OwnerOnly: r.OwnerOnly, ReadOnly: r.ReadOnly, FromSource: sources,
		})
	default:
		s.MatchPaths = append(s.MatchPaths, securityv1.FilePath{
			Report: report, Path: securityv1.AbsolutePath(r.Path), OwnerOnly: r.OwnerOnly, ReadOnly: r.ReadOnly, FromSource: sources,
		})
	}
}

// command asks the model on the command line. What it has no flag for follows as a comment.
func command(w model.Workload, op model.Operation) string {
	line := []string{"karmor policy eval -f -", "--namespace shop"}
	add := func(given bool, flag, value string) {
		if given {
			line = append(line, flag+" "+quoted(value))
		}
	}
	add(true, "--posture", fmt.Sprintf("file=%s,network=%s,capabilities=%s",
		w.Postures[policy.DomainFile], w.Postures[policy.DomainNetwork], w.Postures[policy.DomainCapabilities]))
	add(true, "--op", string(op.Kind))
	add(op.Path != "", "--path", op.Path)
	add(op.NewPath != "", "--new-path", op.NewPath)
	add(op.Source != "", "--source", op.Source)
	add(op.UID != op.Owner, "--uid", strconv.Itoa(int(op.UID)))
	add(op.UID != op.Owner, "--owner", strconv.Itoa(int(op.Owner)))
	add(op.Capability != "", "--capability", op.Capability)
	add(op.Name != "", "--domain", op.Name)
	if op.Terminal {
		line = append(line, "--terminal")
	}
	if len(op.Args) > 0 {
		line = append(line, "--")
		for _, argument := range op.Args {
			line = append(line, quoted(argument))
		}
	}
	note := ""
	if op.Kind.Domain() == policy.DomainNetwork {
		note += fmt.Sprintf(" # socket %d/%d/%d", op.Family, op.Type, op.Protocol)
	}
	for _, flag := range []struct {
		set  bool
		word string
	}{
		{op.Unresolved, "unresolved"},
		{op.Object, "object"},
		{op.New, "new"},
		{op.Directory, "directory"},
		{op.Replaces, "replaces " + strconv.Itoa(int(op.NewOwner))},
		{len(w.Policies) > 0 && w.Policies[0].AuditOnly, "audited"},
	} {
		if flag.set {
			note += " # " + flag.word
		}
	}
	return strings.Join(line, " ") + note
}

// quoted is a word for the shell.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-,=") == "" {
		return s
	}
	escaped := strings.Trim(strconv.Quote(s), `"`)
	if escaped == s {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return "$'" + strings.ReplaceAll(strings.ReplaceAll(escaped, `\"`, `"`), "'", `\'`) + "'"
}
