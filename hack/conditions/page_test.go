// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryConditionAndReasonOfTheAPIIsExplainedAndThePageIsFresh(t *testing.T) {
	want, err := page("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(pagePath("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the page is stale; run: go run ./hack/conditions (-want +got):\n%s", diff)
	}
}

func TestParseFile(t *testing.T) {
	const head = "package v1\n\n"
	for name, c := range map[string]struct {
		src  string
		want []block
		err  string
	}{
		"a block is read with its sentences": {
			src: head + "// Reasons of a thing.\nconst (\n\t// ReasonA: it broke;\n\t// mend it.\n\tReasonA = \"A\"\n)\n",
			want: []block{{doc: "Reasons of a thing.", entries: []entry{
				{name: "ReasonA", value: "A", meaning: "It broke; mend it."},
			}}},
		},
		"other constants are left alone": {
			src: head + "// Labels.\nconst LabelA = \"a\"\n",
		},
		"a reason without a comment is an error": {
			src: head + "// Reasons of a thing.\nconst (\n\tReasonA = \"A\"\n)\n",
			err: "x.go:5:2: ReasonA has no comment",
		},
		"a comment that is no sentence is an error": {
			src: head + "// Conditions of a thing.\nconst (\n\t// ThingReady is ready\n\tThingReady = \"Ready\"\n)\n",
			err: "ThingReady has no comment",
		},
		"a reason outside a block of reasons is an error": {
			src: head + "// Misc.\nconst (\n\t// ReasonA: it broke; mend it.\n\tReasonA = \"A\"\n)\n",
			err: "ReasonA stands in a block whose comment does not start",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseFile("x.go", []byte(c.src))
			if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(block{}, entry{})); c.err == "" && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneWordMeansOneThing(t *testing.T) {
	reasons := block{doc: "Reasons of a.", entries: []entry{{name: "ReasonA", value: "A"}}}
	again := block{doc: "Reasons of b.", entries: []entry{{name: "ReasonB", value: "A"}}}
	if err := unique("api", []block{reasons, again}); err == nil {
		t.Error("two reasons with one value were not noticed")
	}
	ready := block{doc: "Conditions of a.", entries: []entry{{name: "AReady", value: "A"}}}
	other := block{doc: "Conditions of b.", entries: []entry{{name: "BReady", value: "A"}}}
	if err := unique("api", []block{reasons, ready, other}); err != nil {
		t.Errorf("conditions of two kinds may share a name: %v", err)
	}
}
