// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// render prints one table of the kernels and one of the programs' instruction counts, with the change from the record.
func render(results []result, recorded record) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KERNEL\tARCH\tATTACH\tPASSED\tFAILED\tSKIPPED\tRESULT")
	for _, r := range results {
		verdict := "ok"
		if !r.ok() {
			verdict = "FAILED " + strings.Join(r.failures, " ") + firstLine(r.problem)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%s\n", r.version, r.arch, r.attached(), r.passed, r.failed, r.skipped, verdict)
	}
	fmt.Fprintln(w)
	fmt.Fprint(w, "VERIFIED INSTRUCTIONS")
	for _, r := range results {
		fmt.Fprintf(w, "\t%s", r.target)
	}
	fmt.Fprintln(w)
	for _, name := range names(results) {
		fmt.Fprint(w, name)
		for _, r := range results {
			fmt.Fprintf(w, "\t%s", cell(r, name, recorded[r.String()][name]))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return out.String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func names(results []result) []string {
	set := map[string]bool{}
	for _, r := range results {
		for _, p := range r.programs {
			set[p.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// cell is a count, and by how much it changed if it did.
func cell(r result, name string, before int) string {
	for _, p := range r.programs {
		if p.Name != name {
			continue
		}
		switch {
		case p.Instructions == 0:
			return "not told"
		case before == 0 || p.Instructions == before:
			return strconv.Itoa(p.Instructions)
		default:
			return fmt.Sprintf("%d (%+.1f %%)", p.Instructions, 100*(float64(p.Instructions)/float64(before)-1))
		}
	}
	return "-"
}
