// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
	"github.com/kubearmor/kubearmor-operator/internal/root"
)

// Subject is what policies look at when they select.
type Subject struct {
	// Every policy selects the command, and every host policy the machine, whatever they say.
	Every bool
	// Namespace, Labels and Container of the command; Labels are the machine's too.
	Namespace, Container string
	Labels               map[string]string
}

// plan is what is to be put in force.
type plan struct {
	compiled compile.Output
	// unselected are the policies that select neither the command nor the machine.
	unselected []compile.Ref
}

// newPlan compiles the policies that select the command, and with o.Host those that select the machine, for a core with
// these abilities.
func newPlan(o Options, command compile.Cgroup, abilities compile.Abilities) (plan, error) {
	p := plan{}
	own := root.Directory("/")
	defer own.Close()
	w := compile.Workload{Cgroup: command, Postures: o.Postures, Root: own}
	host := compile.Workload{Cgroup: compile.Cgroup{ID: cgroup.Root, Path: "/"}, Host: true, Postures: o.Postures, Root: own}
	for _, object := range o.Policies {
		parsed, ofHost, selected, err := o.Subject.selection(object)
		switch {
		case err != nil:
			return p, err
		case ofHost && !o.Host:
			return p, fmt.Errorf("%s: a host policy holds for the whole machine: give --host to put it in force until the command ends", parsed.Ref)
		case !selected:
			p.unselected = append(p.unselected, parsed.Ref)
		case ofHost:
			host.Selections = append(host.Selections, compile.Selection{Policy: &parsed})
		default:
			w.Selections = append(w.Selections, compile.Selection{Policy: &parsed})
		}
	}
	workloads, err := chosen(w, host)
	if err != nil {
		return p, err
	}
	p.compiled = compile.Compile(workloads, abilities)
	p.compiled.Set.Generation = 1
	return p, nil
}

// chosen are the workloads that any policy selects. Pods are no part of the host: bound to nothing, the trees that hold them
// keep its rules out, as agents do it.
func chosen(command, host compile.Workload) ([]compile.Workload, error) {
	var workloads []compile.Workload
	if len(command.Selections) > 0 {
		workloads = append(workloads, command)
	}
	if len(host.Selections) > 0 {
		trees, err := cgroup.PodTrees(cgroup.Top)
		if err != nil {
			return nil, fmt.Errorf("look for Pods: %w", err)
		}
		workloads = append(workloads, host)
		for _, tree := range trees {
			workloads = append(workloads, compile.Workload{Cgroup: tree, Exempt: true, Host: true})
		}
	}
	if len(workloads) == 0 {
		return nil, errors.New("no policy selects the command: see --namespace and --labels")
	}
	return workloads, nil
}

// selection parses a policy and says whether it selects the subject.
func (s Subject) selection(object runtime.Object) (parsed policy.Policy, ofHost, selected bool, err error) {
	var pods selector.Selector
	switch o := object.(type) {
	case *securityv1.KubeArmorPolicy:
		parsed = parse.KubeArmorPolicy(o)
		pods, err = selector.ForPolicy(o)
	case *securityv1.KubeArmorClusterPolicy:
		parsed = parse.ClusterPolicy(o)
		pods, err = selector.ForClusterPolicy(o)
	case *securityv1.KubeArmorHostPolicy:
		return parse.HostPolicy(o), true, s.Every || selector.SelectsNode(o, s.Labels), nil
	default:
		return parsed, false, false, fmt.Errorf("%T is not a policy", object)
	}
	pod := selector.Pod{Namespace: s.Namespace, Labels: s.Labels}
	return parsed, false, s.Every || pods.SelectsPod(pod) && pods.SelectsContainer(s.Container), err
}

// warn names every rule that is not in force, and why, and every policy without any effect.
func (p plan) warn(w io.Writer) {
	for _, ref := range p.unselected {
		_, _ = fmt.Fprintf(w, "karmor: warning: %s does not select the command and is not in force\n", ref)
	}
	for _, result := range p.compiled.Policies {
		for _, u := range result.Unsupported {
			how := "is not in force"
			if u.InPart() {
				how = "is in force in part"
			}
			_, _ = fmt.Fprintf(w, "karmor: warning: %s: %s %s: %s: %s\n", result.Ref, u.Rule, how, u.Reason, u.Message)
		}
	}
}
