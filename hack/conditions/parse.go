// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// block is one const block of conditions or of reasons.
type block struct {
	doc     string
	entries []entry
}

// entry is one condition or reason.
type entry struct {
	name, value, meaning string
}

func (b block) conditions() bool { return strings.HasPrefix(b.doc, "Conditions") }

// parse reads the blocks of a package, in the order of its files and lines.
func parse(folder string) ([]block, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	var blocks []block
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		found, err := parseFile(name, src)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, found...)
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%s has no const block whose comment starts with Conditions or Reasons", folder)
	}
	return blocks, unique(folder, blocks)
}

func parseFile(name string, src []byte) ([]block, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var blocks []block
	for _, decl := range file.Decls {
		consts, ok := decl.(*ast.GenDecl)
		if !ok || consts.Tok != token.CONST {
			continue
		}
		doc := oneLine(consts.Doc)
		listed := strings.HasPrefix(doc, "Conditions ") || strings.HasPrefix(doc, "Reasons ")
		b, err := parseBlock(fset, consts, listed)
		if err != nil {
			return nil, err
		}
		if b.doc = doc; listed {
			blocks = append(blocks, b)
		}
	}
	return blocks, nil
}

func parseBlock(fset *token.FileSet, consts *ast.GenDecl, listed bool) (block, error) {
	var b block
	for _, spec := range consts.Specs {
		value := spec.(*ast.ValueSpec)
		name := value.Names[0].Name
		if !listed {
			if strings.HasPrefix(name, "Reason") {
				return b, fmt.Errorf("%s: %s stands in a block whose comment does not start with Conditions or Reasons",
					fset.Position(value.Pos()), name)
			}
			continue
		}
		e, err := parseEntry(name, value)
		if err != nil {
			return b, fmt.Errorf("%s: %s %w", fset.Position(value.Pos()), name, err)
		}
		b.entries = append(b.entries, e)
	}
	return b, nil
}

func parseEntry(name string, spec *ast.ValueSpec) (entry, error) {
	e := entry{name: name}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING || len(spec.Names) != 1 {
		return e, errors.New("is not one string; give each condition and reason a line of its own")
	}
	var err error
	if e.value, err = strconv.Unquote(literal.Value); err != nil {
		return e, err
	}
	doc := oneLine(spec.Doc)
	meaning, named := strings.CutPrefix(doc, name)
	if !named || !strings.HasSuffix(doc, ".") || len(meaning) < 10 {
		return e, errors.New("has no comment that starts with its name and is a sentence; say what it means and what to do")
	}
	meaning = strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(meaning, ":")), "is ")
	e.meaning = strings.ToUpper(meaning[:1]) + meaning[1:]
	return e, nil
}

// unique: one word means one thing in a package, be it a condition or a reason.
func unique(folder string, blocks []block) error {
	seen := map[string]string{}
	for _, b := range blocks {
		for _, e := range b.entries {
			key := fmt.Sprint(b.conditions(), b.conditionsOf(), e.value)
			if other, twice := seen[key]; twice {
				return fmt.Errorf("%s: %s and %s are both %q; keep one", folder, other, e.name, e.value)
			}
			seen[key] = e.name
		}
	}
	return nil
}

// conditionsOf is the kind that a block of conditions is of: two kinds may both have Ready.
func (b block) conditionsOf() string {
	if !b.conditions() {
		return ""
	}
	kind, _, _ := strings.Cut(b.doc, ".")
	return kind
}

func oneLine(doc *ast.CommentGroup) string {
	return strings.Join(strings.Fields(doc.Text()), " ")
}
