// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
)

// judge lists everything that is not as the product promises; an empty list is a success. What a node could enforce is known from how
// it was booted, not from what it says.
func judge(found findings) []string {
	var problems []string
	for _, spec := range found.specs {
		n, ok := found.nodes[spec.Name]
		if !ok {
			problems = append(problems, spec.Name+": has no KubeArmorNode")
			continue
		}
		if product.Enforcing(&n) != spec.BPFLSM() {
			problems = append(problems, fmt.Sprintf("%s: says enforcing %v, but was booted with lsm=%s", spec.Name, product.Enforcing(&n), spec.LSM))
		}
		if !spec.BPFLSM() && whyNot(&n) == "" {
			problems = append(problems, spec.Name+": does not say why it does not enforce")
		}
		problems = append(problems, judgeOutcomes(found, spec.Name, spec.BPFLSM())...)
		for _, path := range missingAlerts(found.alerts[spec.Name]) {
			problems = append(problems, fmt.Sprintf("%s: no alert on the attack on %s", spec.Name, path))
		}
	}
	return problems
}

func judgeOutcomes(found findings, node string, enforced bool) []string {
	var problems []string
	seen := 0
	for _, o := range found.outcomes {
		if o.Node != node {
			continue
		}
		seen++
		switch {
		case !o.Attacked && !o.Through():
			problems = append(problems, fmt.Sprintf("%s: %s of %s is allowed, but did not work: %s", node, o.Kind, o.Path, o.Result.Output))
		case o.Attacked && enforced && !o.Denied():
			problems = append(problems, fmt.Sprintf("%s: the attacked %s of %s was not denied: %s", node, o.Kind, o.Path, o.Result.Output))
		case o.Attacked && !enforced && !o.Through():
			problems = append(problems, fmt.Sprintf("%s: does not enforce, yet %s of %s failed: %s", node, o.Kind, o.Path, o.Result.Output))
		}
	}
	if seen != len(product.Operations()) {
		problems = append(problems, fmt.Sprintf("%s: %d operations were tried instead of %d", node, seen, len(product.Operations())))
	}
	return problems
}

// missingAlerts are the attacked paths that no alert is about.
func missingAlerts(alerts []product.Alert) []string {
	var missing []string
	for _, o := range product.Operations() {
		about := func(a product.Alert) bool { return strings.Contains(a.Resource, o.Path) }
		if o.Attacked && !slices.ContainsFunc(alerts, about) {
			missing = append(missing, o.Path)
		}
	}
	return missing
}

// whyNot is the reason that a node gives for not enforcing; empty for one that enforces.
func whyNot(n *operatorv1.KubeArmorNode) string {
	if product.Enforcing(n) {
		return ""
	}
	if n.Spec.Verdict != nil && n.Spec.Verdict.Enforcer == operatorv1.EnforcerNone {
		return n.Spec.Verdict.Reason
	}
	if c := meta.FindStatusCondition(n.Status.Conditions, operatorv1.NodeEnforcing); c != nil {
		return c.Reason
	}
	return ""
}
