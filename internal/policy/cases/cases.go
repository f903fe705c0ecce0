// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
)

// Kind and APIVersion of a document of test cases.
const (
	Kind       = "PolicyTest"
	APIVersion = "karmor.kubearmor.com/v1"
)

// Test is one document: cases on one set of policies.
type Test struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	// Policies are files and folders, relative to the test's file; all policies of its folder when there are none.
	Policies []string `yaml:"policies"`
	// Root is a folder, relative to the test's file, whose symlinks are followed as the workload's own.
	Root     string   `yaml:"root"`
	Workload Workload `yaml:"workload"`
	Posture  Posture  `yaml:"posture"`
	Cases    []Case   `yaml:"cases"`

	// File that it is in.
	File string `yaml:"-"`
}

// Case is one operation and what must come of it.
type Case struct {
	Name      string `yaml:"name"`
	Operation `yaml:",inline"`
	Expect    Expectation `yaml:"expect"`

	// Workload and Posture of this case alone, in place of the test's.
	Workload *Workload `yaml:"workload"`
	Posture  Posture   `yaml:"posture"`

	// Line in the file, from 1.
	Line int `yaml:"-"`
}

// Expectation of a verdict. Fields that are empty are not compared.
type Expectation struct {
	Verdict string `json:"verdict"`
	Policy  string `json:"policy,omitempty"`
	Rule    string `json:"rule,omitempty"`
}

// UnmarshalYAML takes a bare verdict, or verdict, policy and rule.
func (e *Expectation) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		e.Verdict = node.Value
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expect is a verdict, or an object of verdict, policy and rule", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch key.Value {
		case "verdict":
			e.Verdict = value.Value
		case "policy":
			e.Policy = value.Value
		case "rule":
			e.Rule = value.Value
		default:
			return fmt.Errorf("line %d: unknown field %s in expect; expected one of verdict, policy, rule", key.Line, key.Value)
		}
	}
	return nil
}

// Read returns the tests of a file; documents of other kinds are passed over. The problems are mistakes in the tests.
func Read(file string, text []byte) ([]Test, []document.Problem) {
	var tests []Test
	var problems []document.Problem
	for _, chunk := range document.Split(text) {
		var head struct {
			Kind string `yaml:"kind"`
		}
		if yaml.Unmarshal(chunk.Text, &head) != nil || head.Kind != Kind {
			continue
		}
		test, wrong := read(file, chunk)
		problems = append(problems, wrong...)
		if len(wrong) == 0 {
			tests = append(tests, test)
		}
	}
	return tests, problems
}

func read(file string, chunk document.Chunk) (Test, []document.Problem) {
	test := Test{File: file}
	decoder := yaml.NewDecoder(bytes.NewReader(chunk.Text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&test); err != nil {
		return test, decodeProblems(file, chunk.Before, err)
	}
	lines := caseLines(chunk.Text)
	for i := range test.Cases {
		test.Cases[i].Line = chunk.Before + 1
		if i < len(lines) {
			test.Cases[i].Line = chunk.Before + lines[i]
		}
	}
	var problems []document.Problem
	for _, err := range test.check() {
		problem := document.Problem{File: file, Line: chunk.Before + 1, Message: err.Error()}
		var in *caseError
		var field *MistakeError
		if errors.As(err, &in) {
			problem.Line, problem.Message = test.Cases[in.index].Line, in.err.Error()
		}
		if errors.As(err, &field) {
			problem.Field, problem.Message = field.Field, field.Message
		}
		problems = append(problems, problem)
	}
	return test, problems
}

// caseLines are the lines of the cases in the chunk.
func caseLines(text []byte) []int {
	var at struct {
		Cases []yaml.Node `yaml:"cases"`
	}
	if yaml.Unmarshal(text, &at) != nil {
		return nil
	}
	lines := make([]int, 0, len(at.Cases))
	for i := range at.Cases {
		lines = append(lines, at.Cases[i].Line)
	}
	return lines
}

// caseError is a mistake in one case.
type caseError struct {
	index int
	err   error
}

func (e *caseError) Error() string { return e.err.Error() }
func (e *caseError) Unwrap() error { return e.err }

// check says what a well-formed document still has wrong.
func (t *Test) check() []error {
	var wrong []error
	if t.APIVersion != APIVersion {
		wrong = append(wrong, mistake("apiVersion", "%q has no kind %s; write apiVersion: %s", t.APIVersion, Kind, APIVersion))
	}
	if len(t.Cases) == 0 {
		wrong = append(wrong, mistake("cases", "is empty; write at least one case"))
	}
	if _, err := t.Posture.Model(); err != nil {
		wrong = append(wrong, err)
	}
	if err := t.Workload.Check(); err != nil {
		wrong = append(wrong, err)
	}
	for i := range t.Cases {
		for _, err := range t.Cases[i].check() {
			wrong = append(wrong, &caseError{i, err})
		}
	}
	return wrong
}

func (c *Case) check() []error {
	var wrong []error
	if c.Name == "" {
		wrong = append(wrong, mistake("name", "is missing; say in a few words what must hold"))
	}
	if _, err := c.Model(); err != nil {
		wrong = append(wrong, err)
	}
	if _, err := c.Posture.Model(); err != nil {
		wrong = append(wrong, err)
	}
	if c.Workload != nil {
		if err := c.Workload.Check(); err != nil {
			wrong = append(wrong, err)
		}
	}
	if verdicts := []string{"Allow", "Audit", "Block"}; !slices.Contains(verdicts, c.Expect.Verdict) {
		wrong = append(wrong, mistake("expect", "%q is not one of %s", c.Expect.Verdict, strings.Join(verdicts, ", ")))
	}
	return wrong
}

// decodeProblems finds the lines that the YAML library names, and leaves out the names of our types.
func decodeProblems(file string, before int, err error) []document.Problem {
	numbered := regexp.MustCompile(`^\s*line (\d+): (.*)$`)
	unknown := regexp.MustCompile(`^field (\S+) not found in type \S+$`)
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var problems []document.Problem
	for line := range strings.SplitSeq(strings.TrimPrefix(message, "unmarshal errors:\n"), "\n") {
		p := document.Problem{File: file, Line: before + 1, Message: strings.TrimSpace(line)}
		if found := numbered.FindStringSubmatch(line); found != nil {
			n, _ := strconv.Atoi(found[1])
			p.Line, p.Message = before+n, found[2]
		}
		if found := unknown.FindStringSubmatch(p.Message); found != nil {
			p.Field, p.Message = found[1], "unknown field; see docs/policies.md for what a "+Kind+" may hold"
		}
		problems = append(problems, p)
	}
	return problems
}
