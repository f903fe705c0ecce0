// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubearmor/kubearmor-operator/internal/policy/cases"
	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
)

// kindPolicyTest is passed over without a word where policies are looked for.
const kindPolicyTest = cases.Kind

// policyTest is `karmor policy test`.
type policyTest struct {
	streams Streams
	output  string
	verbose bool
}

func newPolicyTest(streams Streams) *cobra.Command {
	t := &policyTest{streams: streams}
	cmd := &cobra.Command{
		Use:   "test DIR…",
		Short: "Run the test cases that are kept beside policies",
		Long: "test looks through folders for documents of kind " + cases.Kind + " and asks the reference model for each of their cases,\n" +
			"as eval does. A case names an operation and the verdict that is expected:\n\n" +
			"  apiVersion: " + cases.APIVersion + "\n" +
			"  kind: " + cases.Kind + "\n" +
			"  policies: [web.yaml]      # beside this file; without it, every policy of its folder\n" +
			"  workload: {namespace: shop, labels: {app: web}}\n" +
			"  posture: {file: block}\n" +
			"  cases:\n" +
			"  - {name: nobody starts a shell, op: exec, path: /bin/sh, expect: Block}\n\n" +
			"Exit codes: 0 every case passed; 1 one failed, or a policy or test is invalid; 2 wrong usage.",
		Example: "  karmor policy test policies/\n  karmor policy test policies/ -o junit > report.xml",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := t.validate(args); err != nil {
				return err
			}
			return t.run(args)
		},
	}
	cmd.Flags().StringVarP(&t.output, "output", "o", "text", "text, json or junit")
	cmd.Flags().BoolVarP(&t.verbose, "verbose", "v", false, "print the cases that passed, too")
	return cmd
}

func (t *policyTest) validate(args []string) error {
	if len(args) == 0 {
		return usagef("policy test: no folder; name one that holds policies and their test cases")
	}
	return oneOf("output", t.output, "text", "json", "junit")
}

func (t *policyTest) run(names []string) error {
	tests, err := readTests(names)
	if err != nil {
		return err
	}
	results := []cases.Result{}
	for i := range tests {
		found, err := t.runOne(&tests[i])
		if err != nil {
			return err
		}
		results = append(results, found...)
	}
	bad := 0
	for _, r := range results {
		if !r.Passed {
			bad++
		}
	}
	if err := t.print(results, bad); err != nil {
		return err
	}
	if bad > 0 {
		return failed("%s failed", plural(bad, "case"))
	}
	return nil
}

func (t *policyTest) runOne(test *cases.Test) ([]cases.Result, error) {
	folder := filepath.Dir(test.File)
	policies, err := policiesOf(test, folder)
	if err != nil {
		return nil, fmt.Errorf("%s: policies: %w", test.File, err)
	}
	documents, err := policyFiles{in: t.streams.In, notes: io.Discard}.readValid(policies)
	if err != nil {
		return nil, err
	}
	dir := test.Root
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(folder, dir)
	}
	resolver, err := openRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", test.File, err)
	}
	return test.Run(documents, resolver), nil
}

// policiesOf a test: those that it names, else the files of its folder that hold policies.
func policiesOf(test *cases.Test, folder string) ([]string, error) {
	var names []string
	for _, name := range test.Policies {
		if !filepath.IsAbs(name) {
			name = filepath.Join(folder, name)
		}
		names = append(names, name)
	}
	if len(names) > 0 {
		return names, nil
	}
	reader, err := document.NewReader()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, explainFile(err)
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if entry.IsDir() || !isManifest(path) {
			continue
		}
		documents, err := readFile(reader, path)
		if err != nil {
			return nil, err
		}
		for _, d := range documents {
			if d.Class != document.Foreign {
				names = append(names, path)
				break
			}
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is none in %s; name files with policies: [FILE]", folder)
	}
	return names, nil
}

// readTests finds the tests in files and folders.
func readTests(names []string) ([]cases.Test, error) {
	var tests []cases.Test
	var problems []error
	for _, name := range names {
		err := filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path != name && !isManifest(path) {
				return err
			}
			text, err := os.ReadFile(path)
			found, wrong := cases.Read(path, text)
			tests = append(tests, found...)
			for _, p := range wrong {
				problems = append(problems, errors.New(p.String()))
			}
			return err
		})
		if err != nil {
			return nil, explainFile(err)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("%s: holds no test cases; write a document of kind %s, as `karmor policy test --help` shows",
			strings.Join(names, ", "), cases.Kind)
	}
	return tests, nil
}

func (t *policyTest) print(results []cases.Result, bad int) error {
	switch t.output {
	case "json":
		return printObject(t.streams.Out, "json", results)
	case "junit":
		return printJUnit(t.streams.Out, results)
	}
	var b strings.Builder
	for _, r := range results {
		switch {
		case !r.Passed:
			fmt.Fprintf(&b, "FAIL  %s:%d: %s\n%s", r.File, r.Line, r.Name, difference(r))
		case t.verbose:
			fmt.Fprintf(&b, "ok    %s:%d: %s\n", r.File, r.Line, r.Name)
		}
	}
	fmt.Fprintf(&b, "%s: %d passed, %d failed\n", plural(len(results), "case"), len(results)-bad, bad)
	_, err := io.WriteString(t.streams.Out, b.String())
	return err
}

// difference between what was wanted and what came.
func difference(r cases.Result) string {
	decided := func(verdict, policy, rule string) string {
		by := strings.Trim(policy+", "+rule, ", ")
		if by == "" {
			return verdict
		}
		return verdict + " by " + by
	}
	return fmt.Sprintf("        want %s\n        got  %s: %s\n",
		decided(r.Want.Verdict, r.Want.Policy, r.Want.Rule), decided(r.Got.Verdict, r.Got.Policy, r.Got.Rule), r.Got.Reason)
}

// junitSuites is the report that most CI systems read.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func printJUnit(w io.Writer, results []cases.Result) error {
	report := junitSuites{}
	for _, r := range results {
		if n := len(report.Suites); n == 0 || report.Suites[n-1].Name != r.File {
			report.Suites = append(report.Suites, junitSuite{Name: r.File})
		}
		suite := &report.Suites[len(report.Suites)-1]
		one := junitCase{Name: r.Name, Class: r.File}
		suite.Tests++
		if !r.Passed {
			suite.Failures++
			one.Failure = &junitFailure{Message: "want " + r.Want.Verdict + ", got " + r.Got.Verdict, Text: difference(r)}
		}
		suite.Cases = append(suite.Cases, one)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(report); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
