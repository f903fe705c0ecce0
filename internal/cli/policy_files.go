// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
)

// stdin as a file name.
const stdin = "-"

// policyFiles reads files and folders of policies.
type policyFiles struct {
	in io.Reader
	// notes gets a line for what is passed over.
	notes io.Writer
}

// read returns the policies of every file and folder, in the order of the arguments and, in a folder, of the names.
func (f policyFiles) read(names []string) ([]document.Document, error) {
	reader, err := document.NewReader()
	if err != nil {
		return nil, err
	}
	var all []document.Document
	for _, name := range names {
		found, err := f.readOne(reader, name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (f policyFiles) readOne(reader *document.Reader, name string) ([]document.Document, error) {
	if name == stdin {
		text, err := io.ReadAll(f.in)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return f.policies("standard input", reader.Read("standard input", text))
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, explainFile(err)
	}
	if !info.IsDir() {
		documents, err := readFile(reader, name)
		if err != nil {
			return nil, err
		}
		return f.policies(name, documents)
	}
	var documents []document.Document
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isManifest(path) {
			return err
		}
		found, err := readFile(reader, path)
		documents = append(documents, found...)
		return err
	})
	if err != nil {
		return nil, explainFile(err)
	}
	return f.policies(name, documents)
}

// isManifest says whether a file of a folder is read.
func isManifest(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}

func readFile(reader *document.Reader, name string) ([]document.Document, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, explainFile(err)
	}
	return reader.Read(name, text), nil
}

// policies leaves out what is no policy and says so; a name below which there is none is a mistake.
func (f policyFiles) policies(name string, documents []document.Document) ([]document.Document, error) {
	var ours []document.Document
	var other []string
	for _, d := range documents {
		if d.Class != document.Foreign {
			ours = append(ours, d)
			continue
		}
		if d.Kind == kindPolicyTest {
			continue
		}
		what := "a document without kind"
		if d.Kind != "" {
			what = "a " + d.Kind
		}
		other = append(other, fmt.Sprintf("%s:%d: skipped: %s is no policy", d.File, d.Line, what))
	}
	if len(ours) == 0 {
		return nil, fmt.Errorf("%s: holds no policy%s; name a file or a folder with a KubeArmorPolicy, "+
			"KubeArmorClusterPolicy or KubeArmorHostPolicy", name, because(other))
	}
	for _, note := range other {
		_, _ = fmt.Fprintf(f.notes, "karmor: %s\n", note)
	}
	return ours, nil
}

func because(skipped []string) string {
	if len(skipped) == 0 {
		return ""
	}
	return fmt.Sprintf(" among its %d documents", len(skipped))
}

// explainFile names the file, the reason and the remedy.
func explainFile(err error) error {
	var at *fs.PathError
	switch {
	case !errors.As(err, &at):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such file or folder", at.Path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: may not be read; check its permissions", at.Path)
	}
	return fmt.Errorf("%s: %w", at.Path, at.Err)
}

// plural of a count and its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
