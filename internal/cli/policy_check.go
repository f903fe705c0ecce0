// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	core "github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/cases"
	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
	"github.com/kubearmor/kubearmor-operator/internal/policy/lint"
)

// policyCheck is `karmor policy check`.
type policyCheck struct {
	streams  Streams
	files    []string
	output   string
	backends []string
}

func newPolicyCheck(streams Streams) *cobra.Command {
	c := &policyCheck{streams: streams}
	cmd := &cobra.Command{
		Use:   "check -f FILE|DIR",
		Short: "Say whether policies are valid, and what is odd about them",
		Long: "check holds every document against the schema and rules of the API server, and then looks for what is valid and yet\n" +
			"hardly meant: rules that can never decide, allow-lists that forget what their programs need, and rules that a backend\n" +
			"cannot express. Documents that are no policies are passed over.\n\n" +
			"Exit codes: 0 every policy is valid; 1 one is not, or a file cannot be read; 2 wrong usage.",
		Example: "  karmor policy check -f policies/\n  karmor policy check -f policy.yaml --backend bpf -o json\n  helm template . | karmor policy check -f -",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := c.validate(); err != nil {
				return err
			}
			return c.run()
		},
	}
	cmd.Flags().StringArrayVarP(&c.files, "filename", "f", nil, "file or folder of policies, or - for standard input; may be repeated")
	cmd.Flags().StringVarP(&c.output, "output", "o", "text", "text or json")
	cmd.Flags().StringSliceVar(&c.backends, "backend", backendNames(), "name what these backends cannot express")
	return cmd
}

func backendNames() []string {
	var names []string
	for _, b := range lint.Backends() {
		names = append(names, string(b))
	}
	return names
}

func (c *policyCheck) validate() error {
	if len(c.files) == 0 {
		return usagef("policy check: no policies; name a file or a folder with -f")
	}
	for _, b := range c.backends {
		if err := oneOf("backend", b, backendNames()...); err != nil {
			return err
		}
	}
	return oneOf("output", c.output, "text", "json")
}

// checked is what became of one document.
type checked struct {
	File        string        `json:"file"`
	Kind        string        `json:"kind"`
	Name        string        `json:"name"`
	Valid       bool          `json:"valid"`
	Errors      []string      `json:"errors"`
	Warnings    []string      `json:"warnings"`
	Unsupported []unsupported `json:"unsupported"`

	// state in a word, for people.
	state string
}

// unsupported is a rule that a backend cannot express.
type unsupported struct {
	Backend string `json:"backend"`
	Rule    string `json:"rule"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (c *policyCheck) run() error {
	documents, err := policyFiles{in: c.streams.In, notes: c.streams.Err}.read(c.files)
	if err != nil {
		return err
	}
	all := make([]checked, 0, len(documents))
	invalid := 0
	for i := range documents {
		one := c.check(&documents[i])
		if !one.Valid {
			invalid++
		}
		all = append(all, one)
	}
	if c.output == "json" {
		err = printObject(c.streams.Out, "json", all)
	} else {
		err = c.print(all)
	}
	if err == nil && invalid > 0 {
		err = failed("%s invalid", isOrAre(invalid))
	}
	return err
}

func (c *policyCheck) check(d *document.Document) checked {
	one := checked{
		File: d.File, Kind: d.Kind, Name: d.Name, Valid: d.Valid(),
		Errors: lines(d.Errors), Warnings: lines(d.Warnings), Unsupported: []unsupported{}, state: "valid",
	}
	if !one.Valid {
		one.state = "invalid"
	}
	if d.Class == document.Unsupported {
		return c.unknownKind(d, one)
	}
	if d.Object == nil {
		return one
	}
	p := cases.Parse(d.Object, d.Namespace)
	for _, w := range lint.Warnings(p) {
		one.Warnings = append(one.Warnings, d.At(w.Rule, w.Message).String())
	}
	for _, u := range lint.Expressible(p, core.Abilities()) {
		if slices.Contains(c.backends, string(u.Backend)) {
			one.Unsupported = append(one.Unsupported, unsupported{string(u.Backend), u.Rule, string(u.Reason), u.Message})
		}
	}
	return one
}

// unknownKind: it is not looked into, so there is no error to be found, and nothing that would be enforced.
func (c *policyCheck) unknownKind(d *document.Document, one checked) checked {
	const message = "is not supported yet: it was not validated, and no node enforces it"
	one.state = "not supported"
	one.Warnings = append(one.Warnings, d.At("kind", d.Kind+" "+message).String())
	for _, b := range c.backends {
		one.Unsupported = append(one.Unsupported, unsupported{b, "spec", "KindUnsupported", d.Kind + " " + message})
	}
	return one
}

func lines(problems []document.Problem) []string {
	out := make([]string, 0, len(problems))
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

func (c *policyCheck) print(all []checked) error {
	var b strings.Builder
	warnings := 0
	counts := map[string]int{}
	for _, one := range all {
		counts[one.state]++
		fmt.Fprintf(&b, "%s: %s %s: %s\n", one.File, orDash(one.Kind), orDash(one.Name), one.state)
		for _, e := range one.Errors {
			fmt.Fprintf(&b, "  error: %s\n", e)
		}
		for _, w := range one.Warnings {
			fmt.Fprintf(&b, "  warning: %s\n", w)
		}
		warnings += len(one.Warnings)
		for _, line := range grouped(one.Unsupported) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	fmt.Fprintf(&b, "%s: %d valid, %d invalid", plural(len(all), "policy"), counts["valid"], counts["invalid"])
	if n := counts["not supported"]; n > 0 {
		fmt.Fprintf(&b, ", %d not supported", n)
	}
	fmt.Fprintf(&b, "; %s\n", plural(warnings, "warning"))
	_, err := io.WriteString(c.streams.Out, b.String())
	return err
}

// grouped has one line for all rules that a backend cannot express for the same reason.
func grouped(all []unsupported) []string {
	const most = 3
	type key struct{ backend, reason, message string }
	var order []key
	rules := map[key][]string{}
	for _, u := range all {
		k := key{u.Backend, u.Reason, u.Message}
		if rules[k] == nil {
			order = append(order, k)
		}
		rules[k] = append(rules[k], u.Rule)
	}
	var out []string
	for _, k := range order {
		named := rules[k][:min(len(rules[k]), most)]
		more := ""
		if rest := len(rules[k]) - len(named); rest > 0 {
			more = fmt.Sprintf(" and %d more", rest)
		}
		out = append(out, fmt.Sprintf("not on %s: %s%s: %s: %s", k.backend, strings.Join(named, ", "), more, k.reason, k.message))
	}
	return out
}

func isOrAre(n int) string {
	if n == 1 {
		return "1 policy is"
	}
	return fmt.Sprintf("%d policies are", n)
}
