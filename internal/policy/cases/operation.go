// SPDX-License-Identifier: Apache-2.0

// Package cases tries policies out: it turns what people write about an operation into a question to the reference
// model, and reads and runs the test cases that users keep beside their policies. It is pure.
package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
)

// Operation as a person writes it: in a test case, or as flags.
type Operation struct {
	// Op is a kind of the model: exec, read, …
	Op      string `yaml:"op"`
	Path    string `yaml:"path"`
	NewPath string `yaml:"newPath"`
	// Source is the executable that does it.
	Source string `yaml:"source"`
	// Args after the program's name.
	Args []string `yaml:"args"`
	// UID of the process and Owner of the file; the same when neither is set.
	UID   uint32 `yaml:"uid"`
	Owner uint32 `yaml:"owner"`
	// Directory: a rename is of one.
	Directory bool `yaml:"directory"`
	// Terminal: the process has one.
	Terminal bool `yaml:"terminal"`
	// Protocol is a word of matchProtocols.
	Protocol string `yaml:"protocol"`
	// Capability with or without CAP_, in any case.
	Capability string `yaml:"capability"`
	Domain     string `yaml:"domain"`
	Syscall    string `yaml:"syscall"`

	// What presets look at. Memory: the program is in no file. Unlinked: its file has no name any more. Entered: the process
	// came from outside (kubectl exec). PID of the process that does it.
	Memory   bool `yaml:"memory"`
	Unlinked bool `yaml:"unlinked"`
	Entered  bool `yaml:"entered"`
	PID      int  `yaml:"pid"`
}

// MistakeError is a field of an operation that is missing or cannot be.
type MistakeError struct {
	// Field as in YAML: newPath.
	Field string
	// Message says what is wrong and what was expected.
	Message string
}

func (e *MistakeError) Error() string { return e.Field + ": " + e.Message }

func mistake(field, format string, args ...any) error {
	return &MistakeError{field, fmt.Sprintf(format, args...)}
}

// Ops are the words for Op.
func Ops() []string {
	var words []string
	for _, kind := range model.Kinds() {
		words = append(words, string(kind))
	}
	return words
}

// Model is the operation as the reference model has it. The error is a MistakeError.
func (o Operation) Model() (model.Operation, error) {
	op := model.Operation{
		Kind: model.Kind(o.Op), Path: o.Path, NewPath: o.NewPath, Object: o.Memory, Unlinked: o.Unlinked,
		Source: o.Source, Args: o.Args, Terminal: o.Terminal, UID: o.UID, Owner: o.Owner, NewOwner: o.Owner, Directory: o.Directory,
		New: o.Op == string(model.Create), Syscall: o.Syscall, PID: o.PID, Entered: o.Entered,
	}
	if !slices.Contains(Ops(), o.Op) {
		return op, mistake("op", "%q is not one of %s", o.Op, strings.Join(Ops(), ", "))
	}
	if err := o.checkPaths(op.Kind); err != nil {
		return op, err
	}
	switch op.Kind.Domain() {
	case policy.DomainNetwork:
		return op, o.socket(&op)
	case policy.DomainCapabilities:
		return op, o.capable(&op)
	case policy.DomainDNS:
		return op, o.lookup(&op)
	case policy.DomainSyscalls:
		if o.Syscall == "" {
			return op, mistake("syscall", "is missing; name one, for instance unlink")
		}
	}
	return op, nil
}

// checkPaths says which path is missing or is none.
func (o Operation) checkPaths(kind model.Kind) error {
	needs := (kind.Domain() == policy.DomainProcess || kind.Domain() == policy.DomainFile) && !o.Memory
	if needs && o.Path == "" {
		return mistake("path", "is missing; %s needs the whole path of the file", kind)
	}
	both := kind == model.Rename || kind == model.Link
	if both && o.NewPath == "" {
		return mistake("newPath", "is missing; %s needs the path before and the one after", kind)
	}
	if !both && o.NewPath != "" {
		return mistake("newPath", "has no meaning for %s; only rename and link have one", kind)
	}
	for _, p := range []struct{ field, path string }{{"path", o.Path}, {"newPath", o.NewPath}, {"source", o.Source}} {
		if p.path == "" {
			continue
		}
		if !strings.HasPrefix(p.path, "/") {
			return mistake(p.field, `%q does not start with "/"; write the whole path, as the container sees it`, p.path)
		}
		for part := range strings.SplitSeq(p.path, "/") {
			if part == "." || part == ".." {
				return mistake(p.field, "%q has a %q component, which the kernel never reports; write the path without it", p.path, part)
			}
		}
	}
	return nil
}

func (o Operation) socket(op *model.Operation) error {
	known := slices.DeleteFunc(parse.Protocols(), func(word string) bool { return word == "all" })
	if o.Protocol == "" {
		return mistake("protocol", "is missing; use one of %s", strings.Join(known, ", "))
	}
	var found bool
	if op.Family, op.Type, op.Protocol, found = model.SocketOf(o.Protocol); !found {
		return mistake("protocol", "%q is not one of %s", o.Protocol, strings.Join(known, ", "))
	}
	return nil
}

func (o Operation) capable(op *model.Operation) error {
	word := strings.TrimPrefix(strings.ToLower(o.Capability), "cap_")
	if !slices.Contains(parse.Capabilities(), word) {
		return mistake("capability", "%q is none; use a name of capabilities(7), for instance net_raw", o.Capability)
	}
	op.Capability = word
	return nil
}

func (o Operation) lookup(op *model.Operation) error {
	name, err := parse.DNSName(o.Domain)
	if err != nil {
		return mistake("domain", "%q %s", o.Domain, err)
	}
	op.Name = name
	return nil
}
