// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const printed = `=== RUN   TestA
    x_test.go:1: core programs: [{"name":"file_enforce","hook":"lsm/file_open","instructions":1000},{"name":"exec_enforce","hook":"lsm/bprm_check_security","instructions":0}]
--- PASS: TestA (0.10s)
    --- PASS: TestA/part (0.00s)
--- SKIP: TestB (0.00s)
--- FAIL: TestC (0.00s)
    --- FAIL: TestC/part (0.00s)
FAIL
`

func TestTestsAreCountedAndNotTheirParts(t *testing.T) {
	r := parse(target{"6.12", "amd64"}, printed)
	got := []int{r.passed, r.failed, r.skipped, len(r.programs)}
	if diff := cmp.Diff([]int{1, 1, 1, 2}, got); diff != "" {
		t.Errorf("passed, failed, skipped, programs (-want +got):\n%s", diff)
	}
	if r.ok() || r.attached() != "LSM" || r.failures[0] != "TestC" {
		t.Errorf("ok %v, attached %s, failures %q", r.ok(), r.attached(), r.failures)
	}
}

func TestAKernelIsInOrderOnlyIfTestsPassed(t *testing.T) {
	tests := map[string]struct {
		result result
		want   bool
	}{
		"passed":                     {result{passed: 1}, true},
		"nothing ran":                {result{}, false},
		"one failed":                 {result{passed: 1, failed: 1}, false},
		"the binary failed":          {result{passed: 1, exit: 2}, false},
		"the kernel had a complaint": {result{passed: 1, problem: "Oops"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.result.ok(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestGrowthOfMoreThanFivePercentFails(t *testing.T) {
	recorded := record{"6.12/amd64": {"file": 1000, "exec": 500}}
	tests := map[string]struct {
		programs []program
		want     string
	}{
		"the same":                 {[]program{{Name: "file", Instructions: 1000}, {Name: "exec", Instructions: 500}}, ""},
		"5 % more":                 {[]program{{Name: "file", Instructions: 1050}, {Name: "exec", Instructions: 500}}, ""},
		"more than 5 % more":       {[]program{{Name: "file", Instructions: 1051}, {Name: "exec", Instructions: 500}}, "5.1 % more than the recorded 1000"},
		"less":                     {[]program{{Name: "file", Instructions: 10}, {Name: "exec", Instructions: 500}}, ""},
		"a program that is new":    {[]program{{Name: "file", Instructions: 1}, {Name: "exec", Instructions: 1}, {Name: "net", Instructions: 1}}, "program net, 1 instructions, is not in the record"},
		"a program that is gone":   {[]program{{Name: "file", Instructions: 1}}, "program exec is in the record and was not loaded"},
		"a kernel that tells none": {[]program{{Name: "file"}, {Name: "exec"}}, ""},
		"a machine that failed":    {nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := recorded.check(result{target: target{"6.12", "amd64"}, programs: test.programs})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want none", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAnUpdateKeepsTheKernelsThatDidNotRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "insns.json")
	before := record{"5.10/amd64": {"file": 7}, "6.12/amd64": {"file": 1000, "gone": 1}}
	results := []result{
		{target: target{"6.12", "amd64"}, programs: []program{{Name: "file", Instructions: 900}, {Name: "mute"}}},
		{target: target{"7.2", "amd64"}},
	}
	if err := writeRecord(file, before.with(results)); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record{"5.10/amd64": {"file": 7}, "6.12/amd64": {"file": 900}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheTableNamesWhatChanged(t *testing.T) {
	results := []result{
		{target: target{"5.10", "amd64"}, passed: 3, programs: []program{{Name: "file", Hook: "lsm/file_open"}}},
		{target: target{"6.12", "amd64"}, passed: 2, failed: 1, failures: []string{"TestC"}, programs: []program{{Name: "file", Hook: "lsm/file_open", Instructions: 1100}}},
		{target: target{"7.2", "amd64"}, problem: "did not boot\nmore"},
	}
	want := strings.TrimPrefix(`
KERNEL  ARCH   ATTACH  PASSED  FAILED  SKIPPED  RESULT
5.10    amd64  LSM     3       0       0        ok
6.12    amd64  LSM     2       1       0        FAILED TestC
7.2     amd64  ?       0       0       0        FAILED did not boot

VERIFIED INSTRUCTIONS  5.10/amd64  6.12/amd64      7.2/amd64
file                   not told    1100 (+10.0 %)  -
`, "\n")
	if diff := cmp.Diff(want, render(results, record{"6.12/amd64": {"file": 1000}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestKernelsAreVersionAndArchitecture(t *testing.T) {
	if got, err := parseKernels("6.12/arm64 5.10/amd64"); err != nil || len(got) != 2 || got[0].arch != "arm64" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "6.12", "/arm64", "6.12/"} {
		if _, err := parseKernels(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
