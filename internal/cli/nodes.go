// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"io"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// screen is the width that the table keeps to; -o wide has no such limit.
const screen = 80

// column is one column of the table of nodes.
type column struct {
	title string
	value func(v1.KubeArmorNode) string
}

func nodeColumns(wide bool) []column {
	columns := []column{
		{"NODE", func(n v1.KubeArmorNode) string { return n.Name }},
		{"KERNEL", func(n v1.KubeArmorNode) string { return orDash(factsOf(n).Kernel) }},
		{"ARCH", func(n v1.KubeArmorNode) string { return orDash(factsOf(n).Arch) }},
		{"ENFORCER", func(n v1.KubeArmorNode) string { return orDash(string(enforcer(n))) }},
		{"ENFORCING", enforcing},
		{"REASON", reason},
	}
	if wide {
		columns = append(columns,
			column{"DISTRO", func(n v1.KubeArmorNode) string { return orDash(factsOf(n).Distribution.Name) }},
			column{"POOL", func(n v1.KubeArmorNode) string { return orDash(n.Spec.Pool) }},
			column{"MESSAGE", message},
		)
	}
	return columns
}

func printNodes(w io.Writer, nodes []v1.KubeArmorNode, wide bool) error {
	columns := nodeColumns(wide)
	cells := [][]string{make([]string, len(columns))}
	for i, c := range columns {
		cells[0][i] = c.title
	}
	for _, n := range nodes {
		line := make([]string, len(columns))
		for i, c := range columns {
			line[i] = c.value(n)
		}
		cells = append(cells, line)
	}
	// The names of nodes and kernels give way in turns, then the reason: the rest is short anyway.
	const node, kernel, reason = 0, 1, 5
	return printTable(w, cells, wide, []give{{node, 20}, {kernel, 12}, {node, 12}, {kernel, 8}, {reason, 10}})
}

func printPods(w io.Writer, pods []podReport, wide bool) error {
	cells := [][]string{{"NAMESPACE", "POD", "ENFORCED", "POSTURE", "POLICIES"}}
	if wide {
		cells[0] = append(cells[0], "NODE")
	}
	for _, p := range pods {
		line := []string{p.Namespace, p.Name, p.Enforced, p.Posture.String(), p.shortPolicies()}
		if wide {
			line = append(line, orDash(p.Node))
		}
		cells = append(cells, line)
	}
	const namespace, pod, posture, policies = 0, 1, 3, 4
	return printTable(w, cells, wide, []give{{policies, 24}, {pod, 16}, {namespace, 9}, {posture, 7}, {policies, 10}, {pod, 10}})
}

// give says down to which width a column gives way.
type give struct{ column, least int }

// printTable prints lines, the first of them titles. Unless it may be wide, columns give way, in this order, until the
// screen holds it.
func printTable(w io.Writer, cells [][]string, wide bool, order []give) error {
	widths := measure(cells)
	if !wide {
		fitScreen(widths, order)
	}
	var b strings.Builder
	for _, line := range cells {
		b.WriteString(render(line, widths))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func measure(cells [][]string) []int {
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func fitScreen(widths []int, order []give) {
	over := 2*(len(widths)-1) - screen
	for _, w := range widths {
		over += w
	}
	for _, step := range order {
		take := min(max(over, 0), max(widths[step.column]-step.least, 0))
		widths[step.column] -= take
		over -= take
	}
}

func render(line []string, widths []int) string {
	var b strings.Builder
	for i, cell := range line {
		cell = shorten(cell, widths[i])
		b.WriteString(cell)
		if i < len(line)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

func factsOf(n v1.KubeArmorNode) v1.NodeFacts {
	if n.Spec.Facts == nil {
		return v1.NodeFacts{}
	}
	return *n.Spec.Facts
}

// enforcer is what the agent runs, and before it reports, what the operator decided.
func enforcer(n v1.KubeArmorNode) v1.Enforcer {
	if n.Status.Enforcer == "" && n.Spec.Verdict != nil {
		return n.Spec.Verdict.Enforcer
	}
	return n.Status.Enforcer
}

func enforcing(n v1.KubeArmorNode) string {
	c := meta.FindStatusCondition(n.Status.Conditions, v1.NodeEnforcing)
	switch {
	case c == nil || c.Status == metav1.ConditionUnknown:
		return "unknown"
	case c.Status == metav1.ConditionTrue:
		return "yes"
	}
	return "no"
}

// reason is the agent's; before there is one, where the probe stands.
func reason(n v1.KubeArmorNode) string {
	if c := meta.FindStatusCondition(n.Status.Conditions, v1.NodeEnforcing); c != nil {
		return orDash(c.Reason)
	}
	if n.Spec.Probe.Reason != v1.ReasonProbeSucceeded {
		return orDash(n.Spec.Probe.Reason)
	}
	return v1.ReasonAgentNotReporting
}

func message(n v1.KubeArmorNode) string {
	if c := meta.FindStatusCondition(n.Status.Conditions, v1.NodeEnforcing); c != nil && c.Message != "" {
		return c.Message
	}
	if n.Spec.Probe.Message != "" {
		return n.Spec.Probe.Message
	}
	if n.Spec.Verdict != nil {
		return orDash(n.Spec.Verdict.Message)
	}
	return "-"
}

func orDash(s string) string { return cmp.Or(s, "-") }
