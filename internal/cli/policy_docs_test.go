// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// section of a guide: its policies and the cases that show what they mean, as files.
type section struct {
	title           string
	policies, cases []string
}

// sections reads the YAML blocks of a page, and the cases that it keeps in comments.
func sections(t *testing.T, page string) []section {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var all []section
	for part := range strings.SplitSeq("\n"+string(text), "\n## ") {
		title, body, _ := strings.Cut(part, "\n")
		s := section{title: title}
		for _, block := range between(body, "```yaml\n", "```") {
			if strings.Contains(block, "kind: PolicyTest") {
				s.cases = append(s.cases, block)
			} else {
				s.policies = append(s.policies, block)
			}
		}
		for _, block := range between(body, "<!-- cases\n", "-->") {
			s.cases = append(s.cases, "apiVersion: karmor.kubearmor.com/v1\nkind: PolicyTest\n"+block)
		}
		if len(s.policies)+len(s.cases) > 0 {
			all = append(all, s)
		}
	}
	return all
}

func between(text, begin, end string) []string {
	var found []string
	for {
		_, rest, is := strings.Cut(text, begin)
		if !is {
			return found
		}
		var block string
		block, text, _ = strings.Cut(rest, end)
		found = append(found, block)
	}
}

// TestEveryExampleOfTheGuideHolds: each policy is valid without a warning, and means what its cases say.
func TestEveryExampleOfTheGuideHolds(t *testing.T) {
	all := sections(t, filepath.Join("..", "..", "docs", "policies.md"))
	if len(all) < 12 {
		t.Fatalf("only %d sections have examples", len(all))
	}
	for _, s := range all {
		t.Run(s.title, func(t *testing.T) {
			dir := t.TempDir()
			for i, text := range append(s.policies, s.cases...) {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			check := karmor(t, "policy", "check", "-f", dir)
			if check.code != ExitOK || !strings.HasSuffix(check.out, "; 0 warnings\n") {
				t.Errorf("exit %d: %s%s", check.code, check.out, check.errors)
			}
			if len(s.cases) == 0 || len(s.policies) == 0 {
				t.Fatalf("%d policies and %d tests", len(s.policies), len(s.cases))
			}
			if got := karmor(t, "policy", "test", dir); got.code != ExitOK {
				t.Errorf("exit %d: %s%s", got.code, got.out, got.errors)
			}
		})
	}
}
