// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"
)

// Chunk is the text of one YAML document.
type Chunk struct {
	// Before is how many lines of the file come before it.
	Before int
	Text   []byte
}

// Split cuts a file into its documents. Chunks of comments and blank lines are left out.
func Split(file []byte) []Chunk {
	var chunks []Chunk
	current := Chunk{}
	flush := func(next int) {
		if !blank(current.Text) {
			chunks = append(chunks, current)
		}
		current = Chunk{Before: next}
	}
	for i, line := range bytes.SplitAfter(file, []byte("\n")) {
		switch {
		case marker(line, "---"):
			flush(i)
			// What follows the marker on its line is part of the document; the columns stay.
			line = append([]byte("   "), line[3:]...)
		case marker(line, "..."):
			flush(i + 1)
			continue
		}
		current.Text = append(current.Text, line...)
	}
	flush(0)
	return chunks
}

// marker says whether a line is one of YAML's document markers.
func marker(line []byte, mark string) bool {
	rest, found := bytes.CutPrefix(line, []byte(mark))
	return found && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

func blank(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// parse reads a chunk as kubectl does: YAML to JSON, with whole numbers kept whole and a key that is there twice refused.
func parse(file string, c Chunk) (any, *position, []Problem) {
	raw, err := kyaml.YAMLToJSONStrict(c.Text)
	if err != nil {
		return nil, nil, syntaxProblems(file, c.Before, err)
	}
	var content any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &content); err != nil {
		return nil, nil, []Problem{{File: file, Line: c.Before + 1, Message: err.Error()}}
	}
	where := &position{before: c.Before}
	var node yaml.Node
	// The positions are a courtesy: what this parser does not understand has the position of the document.
	if yaml.Unmarshal(c.Text, &node) == nil && len(node.Content) == 1 {
		where.node, where.own = node.Content[0], node.Content[0].Line
	}
	return content, where, nil
}

// syntaxProblems finds the lines that the YAML library names, which count from the start of the chunk.
func syntaxProblems(file string, before int, err error) []Problem {
	message := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	message = strings.TrimPrefix(message, "yaml: ")
	message = strings.TrimPrefix(message, "unmarshal errors:\n")
	var problems []Problem
	numbered := regexp.MustCompile(`^\s*line (\d+): (.*)$`)
	for line := range strings.SplitSeq(message, "\n") {
		p := Problem{File: file, Line: before + 1, Message: "no valid YAML: " + strings.TrimSpace(line)}
		if found := numbered.FindStringSubmatch(line); found != nil {
			n, _ := strconv.Atoi(found[1])
			p.Line, p.Message = before+n, "no valid YAML: "+found[2]
		}
		problems = append(problems, p)
	}
	return problems
}

// item is one object of a document.
type item struct {
	content map[string]any
	where   *position
}

// items of a List, as `kubectl get -o yaml` writes one; else the object itself.
func items(content any, where *position) []item {
	object, isObject := content.(map[string]any)
	if !isObject && content != nil {
		// A list or a word: no policy, and not meant as one.
		object = map[string]any{"": content}
	}
	list, isList := object["items"].([]any)
	if !isList || !strings.HasSuffix(text(object["kind"]), "List") {
		return []item{{object, where}}
	}
	var all []item
	for i, one := range list {
		if o, ok := one.(map[string]any); ok {
			all = append(all, item{o, where.child("items[" + strconv.Itoa(i) + "]")})
		}
	}
	return all
}

// position finds the lines of fields.
type position struct {
	before int
	node   *yaml.Node
	// own is the line of the node itself, or of its key, in the chunk.
	own int
}

// line of a field such as spec.file.matchPaths[2].path, or of its nearest parent that is there; from 1.
func (p *position) line(field string) int {
	return p.before + max(p.child(field).own, 1)
}

// child goes down as far as the field exists.
func (p *position) child(field string) *position {
	at := *p
	for field != "" && at.node != nil {
		for at.node.Kind == yaml.AliasNode {
			at.node = at.node.Alias
		}
		key, value, rest := step(at.node, field)
		if value == nil {
			break
		}
		at.own, at.node, field = key.Line, value, rest
	}
	return &at
}

// step finds the child that a field path starts with. Keys may hold dots, so the longest that fits is taken.
func step(node *yaml.Node, field string) (key, value *yaml.Node, rest string) {
	field = strings.TrimPrefix(field, ".")
	switch node.Kind {
	case yaml.SequenceNode:
		inner, after, _ := strings.Cut(strings.TrimPrefix(field, "["), "]")
		if i, err := strconv.Atoi(inner); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i], after
		}
	case yaml.MappingNode:
		best := -1
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if len(name) <= best {
				continue
			}
			for _, form := range []string{name, "[" + name + "]"} {
				after, found := strings.CutPrefix(field, form)
				if found && (after == "" || after[0] == '.' || after[0] == '[') {
					best, key, value, rest = len(name), node.Content[i], node.Content[i+1], after
				}
			}
		}
	}
	return key, value, rest
}
