// SPDX-License-Identifier: Apache-2.0

// Package document reads policies from YAML or JSON text and holds each against the schema and the rules that the API
// server uses. It is pure: the text comes in, nothing is opened.
package document

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Problem is something wrong at one place of a file.
type Problem struct {
	File string
	// Line counts from 1.
	Line int
	// Field is a path such as spec.process.matchPaths[0].path; empty when the whole document is meant.
	Field string
	// Message says what is wrong and what was expected.
	Message string
}

func (p Problem) String() string {
	if p.Field == "" {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Field, p.Message)
}

// Class of a document.
type Class int

// The classes.
const (
	// Foreign: no policy, and not meant as one.
	Foreign Class = iota
	// Unsupported: a policy of a kind that this version does not have yet. It is not looked into.
	Unsupported
	// Policy: a policy, or what was meant as one.
	Policy
)

// Document is one YAML document, or one item of a List.
type Document struct {
	File string
	// Line that it starts at, from 1.
	Line                  int
	Class                 Class
	Kind, Namespace, Name string
	// Object is the policy; nil unless it is valid.
	Object runtime.Object
	// Errors that the API server would refuse it for, or that select nothing.
	Errors []Problem
	// Warnings do not stand in the way.
	Warnings []Problem

	where *position
}

// Valid says whether the API server would take it.
func (d *Document) Valid() bool { return d.Class != Foreign && len(d.Errors) == 0 }

// At is the place of a field in the document, or of its nearest parent that is there.
func (d *Document) At(field, message string) Problem {
	return Problem{File: d.File, Line: d.where.line(field), Field: field, Message: message}
}

func (d *Document) fail(field, message string) { d.Errors = append(d.Errors, d.At(field, message)) }

// kinds of policies that this version has.
func kinds() []string {
	return []string{policy.KindPolicy, policy.KindClusterPolicy, policy.KindHostPolicy}
}

const (
	// group of the policies, and the one version that it has.
	group      = "security.kubearmor.com"
	apiVersion = group + "/v1"
	// kindNetworkPolicy is published, and not built yet.
	kindNetworkPolicy = "KubeArmorNetworkPolicy"
)

// Reader reads policies. It is safe for one goroutine at a time.
type Reader struct{ schemas map[string]*schema }

// NewReader fails only when the definitions that were built in cannot be read.
func NewReader() (*Reader, error) {
	schemas, err := loadSchemas()
	if err != nil {
		return nil, err
	}
	return &Reader{schemas: schemas}, nil
}

// Read returns the documents of one file in their order. Documents that are empty are left out.
func (r *Reader) Read(file string, text []byte) []Document {
	var all []Document
	for _, c := range Split(text) {
		content, where, problems := parse(file, c)
		if len(problems) > 0 {
			all = append(all, Document{File: file, Line: problems[0].Line, Class: Policy, Errors: problems})
			continue
		}
		for _, item := range items(content, where) {
			if len(item.content) > 0 {
				all = append(all, r.judge(file, item))
			}
		}
	}
	return all
}

// judge says what one object is, and whether it is valid.
func (r *Reader) judge(file string, item item) Document {
	d := Document{
		File: file, Line: item.where.line(""), where: item.where,
		Kind: text(item.content["kind"]),
	}
	if metadata, ok := item.content["metadata"].(map[string]any); ok {
		d.Name, d.Namespace = text(metadata["name"]), text(metadata["namespace"])
	}
	d.classify(item.content)
	if d.Class != Policy || len(d.Errors) > 0 {
		return d
	}
	d.Object = r.schemas[d.Kind].validate(&d, item.content)
	return d
}

// classify looks at kind and apiVersion, and mends the one mistake that published policies make: "Version" in the
// place of "apiVersion".
func (d *Document) classify(content map[string]any) {
	version, has := content["apiVersion"]
	of, _, _ := strings.Cut(text(version), "/")
	known := slices.Contains(kinds(), d.Kind)
	switch {
	case d.Kind == kindNetworkPolicy:
		d.Class = Unsupported
	case !known && of == group:
		d.Class = Policy
		d.fail("kind", fmt.Sprintf("%q is no kind of %s; use one of %s", d.Kind, apiVersion, strings.Join(kinds(), ", ")))
	case !known:
		d.Class = Foreign
	case !has && text(content["Version"]) == apiVersion:
		d.Class = Policy
		d.Warnings = append(d.Warnings, d.At("Version",
			"unknown field, read as apiVersion; kubectl refuses the document until it is written apiVersion"))
		content["apiVersion"] = apiVersion
		delete(content, "Version")
	case !has:
		d.Class = Policy
		d.fail("apiVersion", "is missing; write apiVersion: "+apiVersion)
	case text(version) != apiVersion:
		d.Class = Policy
		d.fail("apiVersion", fmt.Sprintf("%q has no kind %s; write apiVersion: %s", text(version), d.Kind, apiVersion))
	default:
		d.Class = Policy
	}
}

// text of a value that should be a string.
func text(v any) string {
	s, _ := v.(string)
	return s
}
