// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
)

// Text is the report for a terminal.
func (r *Report) Text() string {
	var out strings.Builder
	fmt.Fprintln(&out, r.Environment.Host())
	if r.Environment.GuestKernel != "" {
		fmt.Fprintln(&out, r.Environment.Guest())
	}
	if r.Environment.Noisy {
		fmt.Fprintf(&out, "NOISY: the host's load was %.1f before the start; these numbers prove nothing.\n", r.Environment.Load)
	}
	if len(r.Native) > 0 {
		fmt.Fprintf(&out, "\nOne decision, native (BPF_PROG_TEST_RUN, nothing subtracted; an empty program takes %s ns)\n", span(r.Native[0].Floor, 0))
		r.nativeTable(&out)
		for _, n := range r.Native {
			if n.InForce < n.Rules {
				fmt.Fprintf(&out, "%s, path of %d B: only %d of %d rules are in force; the others are too complex together\n", n.Mix, n.PathBytes, n.InForce, n.Rules)
			}
		}
	}
	if r.Machine != nil {
		fmt.Fprintln(&out, "\nOperations in the machine: medians of rounds, their 95 % intervals, and ratios to no agent in the same round")
		r.Machine.table(&out)
		r.Machine.notes(&out)
	}
	fmt.Fprintln(&out, "\nBounds")
	table(&out, func(w *tabwriter.Writer) {
		for _, b := range r.Bounds {
			fmt.Fprintf(w, "%s\t%s\t<= %s %s\t%s\n", b.verdict(), b.Name, number(b.Most), b.Unit, b.value())
		}
	})
	for _, b := range r.Bounds {
		if !b.Met && b.Why != "" {
			fmt.Fprintf(&out, "MISSED %s: %s\n", b.Name, b.Why)
		}
	}
	return out.String()
}

// Host is the machine that ran it all, in a line.
func (e Environment) Host() string {
	return fmt.Sprintf("%s, %d CPUs, kernel %s, commit %s", e.CPU, e.CPUs, e.HostKernel, e.Commit)
}

// Guest is the virtual machine, in a line.
func (e Environment) Guest() string {
	return fmt.Sprintf("virtual machine: kernel %s, 1 CPU, %s", e.GuestKernel, e.Accelerator)
}

func (b Bound) verdict() string {
	switch {
	case b.Met && b.Unsure:
		return "met?"
	case b.Met:
		return "met"
	default:
		return "MISSED"
	}
}

func (b Bound) value() string {
	if b.Value.Samples <= 1 {
		return number(b.Value.Median)
	}
	return fmt.Sprintf("%s [%s, %s]", number(b.Value.Median), number(b.Value.Low), number(b.Value.High))
}

// number has as many digits as it needs.
func number(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func span(e stats.Estimate, digits int) string {
	return fmt.Sprintf("%.*f [%.*f, %.*f]", digits, e.Median, digits, e.Low, digits, e.High)
}

// nativeTable has a line for each mix and length of path, and a column for each number of rules.
func (r *Report) nativeTable(out *strings.Builder) {
	type line struct {
		mix   string
		bytes int
	}
	var lines []line
	var columns []int
	cells := map[line]map[int]string{}
	for _, n := range r.Native {
		at := line{n.Mix, n.PathBytes}
		if cells[at] == nil {
			cells[at] = map[int]string{}
			lines = append(lines, at)
		}
		if !slices.Contains(columns, n.Rules) {
			columns = append(columns, n.Rules)
		}
		cells[at][n.Rules] = span(n.Decision, 0)
	}
	table(out, func(w *tabwriter.Writer) {
		fmt.Fprint(w, "rules\tpath")
		for _, rules := range columns {
			fmt.Fprintf(w, "\t%d rules, ns", rules)
		}
		fmt.Fprintln(w)
		for _, at := range lines {
			fmt.Fprintf(w, "%s\t%d B", at.mix, at.bytes)
			for _, rules := range columns {
				fmt.Fprintf(w, "\t%s", cells[at][rules])
			}
			fmt.Fprintln(w)
		}
	})
}

func (m *Machine) table(out *strings.Builder) {
	table(out, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "operation\tsetting\tns\tratio")
		for _, o := range m.Operations {
			for _, s := range o.Settings {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Name, s.Setting, span(s.Nanoseconds, 0), span(s.Ratio, 3))
			}
		}
	})
}

// notes are what a reader of the table should know.
func (m *Machine) notes(out *strings.Builder) {
	for _, p := range m.Policies {
		fmt.Fprintf(out, "%s: %d of %d rules are in force", p.Setting, p.InForce, p.Rules)
		if len(p.Left) > 0 {
			fmt.Fprintf(out, "; left out: %v", p.Left)
		}
		fmt.Fprintln(out)
	}
	if m.Events > 0 {
		fmt.Fprintf(out, "WRONG: %d events were sent while operations were measured that no rule decides\n", m.Events)
	}
	fmt.Fprintf(out, "loading and attaching the core: %s s\n", span(m.Attach, 2))
	mem := m.Memory
	fmt.Fprintf(out, "memory: %d KiB of kernel memory without a policy; %d policies of %d rules and %d containers: %d KiB more, RSS %.1f MiB (peak %.1f MiB)\n",
		mem.Fixed>>10, mem.Policies, mem.RulesEach, mem.Containers, mem.Tables>>10, float64(mem.RSS)/(1<<20), float64(mem.Peak)/(1<<20))
}

// table lines columns up, and indents them.
func table(out *strings.Builder, fill func(*tabwriter.Writer)) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fill(w)
	w.Flush()
	for line := range strings.Lines(text.String()) {
		out.WriteString("  " + strings.TrimRight(line, " \n") + "\n")
	}
}
