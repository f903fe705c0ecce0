// SPDX-License-Identifier: Apache-2.0

// Package selector says which Pods, containers and nodes a policy selects, and which Pods are left alone. It is pure.
package selector

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// Selector of Pods and of their containers. The zero Selector selects nothing.
type Selector struct {
	// namespace is empty for every namespace.
	namespace string
	labels    map[string]string
	terms     []term
	// containers is empty for every container.
	containers []string
	valid      bool
}

// term is one match expression.
type term struct {
	key     string
	negated bool
	values  []string
}

// ForPolicy reads the selector of a KubeArmorPolicy. On error the policy selects nothing.
func ForPolicy(p *securityv1.KubeArmorPolicy) (Selector, error) {
	s := Selector{namespace: p.Namespace, labels: map[string]string{}}
	var problems []error
	for key, value := range p.Spec.Selector.MatchLabels {
		if key != operatorv1.LabelContainerName {
			s.labels[key] = value
			continue
		}
		names, err := containerNames(value)
		if err != nil {
			problems = append(problems, fmt.Errorf("spec.selector.matchLabels[%s]: %w", key, err))
		}
		s.containers = names
	}
	for i, e := range p.Spec.Selector.MatchExpressions {
		t, err := newTerm(e.Key, e.Operator, e.Values, securityv1.KeyLabel)
		if err != nil {
			problems = append(problems, fmt.Errorf("spec.selector.matchExpressions[%d]: %w", i, err))
		}
		s.terms = append(s.terms, t)
	}
	return s.checked(problems)
}

// ForClusterPolicy reads the selector of a KubeArmorClusterPolicy. On error the policy selects nothing.
func ForClusterPolicy(p *securityv1.KubeArmorClusterPolicy) (Selector, error) {
	s := Selector{}
	var problems []error
	for i, e := range p.Spec.Selector.MatchExpressions {
		t, err := newTerm(e.Key, e.Operator, e.Values, securityv1.KeyLabel, securityv1.KeyNamespace)
		if err != nil {
			problems = append(problems, fmt.Errorf("spec.selector.matchExpressions[%d]: %w", i, err))
		}
		s.terms = append(s.terms, t)
	}
	return s.checked(problems)
}

func (s Selector) checked(problems []error) (Selector, error) {
	if len(problems) > 0 {
		return Selector{}, errors.Join(problems...)
	}
	s.valid = true
	return s, nil
}

// SelectsNode says whether a KubeArmorHostPolicy selects a node with these labels. Without matchLabels it selects none.
func SelectsNode(p *securityv1.KubeArmorHostPolicy, labels map[string]string) bool {
	want := p.Spec.NodeSelector.MatchLabels
	return len(want) > 0 && subset(want, labels)
}

// Pod is what a selector looks at.
type Pod struct {
	Namespace           string
	Labels, Annotations map[string]string
}

// SelectsPod says whether at least one container of the Pod may be selected.
func (s Selector) SelectsPod(pod Pod) bool {
	if !s.valid || (s.namespace != "" && s.namespace != pod.Namespace) || !subset(s.labels, pod.Labels) {
		return false
	}
	for _, t := range s.terms {
		if t.holds(pod) == t.negated {
			return false
		}
	}
	return true
}

// SelectsContainer says whether the container of a Pod that SelectsPod is selected.
func (s Selector) SelectsContainer(name string) bool {
	return s.valid && (len(s.containers) == 0 || slices.Contains(s.containers, name))
}

// holds says whether the Pod has one of the term's values.
func (t term) holds(pod Pod) bool {
	if t.key == securityv1.KeyNamespace {
		return slices.Contains(t.values, pod.Namespace)
	}
	return slices.ContainsFunc(t.values, func(pair string) bool {
		key, value, _ := strings.Cut(pair, "=")
		got, found := pod.Labels[key]
		return found && got == value
	})
}

func newTerm(key string, op securityv1.Operator, values []securityv1.Value, keys ...string) (term, error) {
	t := term{key: key, negated: op == securityv1.OperatorNotIn}
	if !slices.Contains(keys, key) {
		return t, fmt.Errorf("key %q is unknown; use %s", key, strings.Join(keys, " or "))
	}
	if op != securityv1.OperatorIn && op != securityv1.OperatorNotIn {
		return t, fmt.Errorf("operator %q is unknown; use In or NotIn", op)
	}
	if len(values) == 0 {
		return t, errors.New("values is empty; name at least one")
	}
	for _, v := range values {
		value := strings.TrimSpace(string(v))
		label, _, isPair := strings.Cut(value, "=")
		if key == securityv1.KeyLabel && (!isPair || label == "") {
			return t, fmt.Errorf("value %q is not key=value, for instance app=nginx", value)
		}
		t.values = append(t.values, value)
	}
	return t, nil
}

// containerNames reads a bare name or a bracketed list: "app", "[app, sidecar]".
func containerNames(value string) ([]string, error) {
	list := strings.TrimSpace(value)
	if inner, bracketed := strings.CutPrefix(list, "["); bracketed {
		closed := false
		if list, closed = strings.CutSuffix(inner, "]"); !closed {
			return nil, fmt.Errorf(`%q has no closing bracket; write a name or a list such as "[app,sidecar]"`, value)
		}
	} else if strings.ContainsAny(list, ",]") {
		return nil, fmt.Errorf(`%q is no name; write a list in brackets, such as "[app,sidecar]"`, value)
	}
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if wrong := validation.IsDNS1123Label(name); len(wrong) > 0 {
			return nil, fmt.Errorf("%q is no container's name: %s", name, wrong[0])
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func subset(want, have map[string]string) bool {
	for key, value := range want {
		if got, found := have[key]; !found || got != value {
			return false
		}
	}
	return true
}
