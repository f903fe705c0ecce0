// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"regexp"
	"strings"
)

// reportPrefix begins the line of the sensor's tests that tells about the programs.
const reportPrefix = "core programs: "

// program is one loaded and attached program of the core, as internal/sensor's tests print it.
type program struct {
	Name string `json:"name"`
	// Hook it is attached to: lsm/file_open.
	Hook string `json:"hook"`
	// Instructions that the verifier processed; 0 where neither the kernel nor the verifier's log tells.
	Instructions int `json:"instructions"`
}

// result is what one kernel said.
type result struct {
	target
	passed, failed, skipped int
	// failures are the names of failed tests.
	failures []string
	programs []program
	exit     int
	// problem is what was wrong beside tests: a machine that did not boot, a kernel that complained.
	problem string
}

func (r result) ok() bool { return r.problem == "" && r.exit == 0 && r.failed == 0 && r.passed > 0 }

// attached says how the core is attached that denies.
func (r result) attached() string {
	for _, p := range r.programs {
		if strings.HasPrefix(p.Hook, "lsm/") {
			return "LSM"
		}
	}
	if len(r.programs) > 0 {
		return "kprobe"
	}
	return "?"
}

// verdictLine is go test -v's, of tests and of their parts.
var verdictLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)

// parse reads what go test -v printed. Tests are counted, not their parts.
func parse(k target, out string) result {
	r := result{target: k}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if _, report, found := strings.Cut(line, reportPrefix); found {
			var programs []program
			if err := json.Unmarshal([]byte(report), &programs); err != nil {
				r.problem = "unreadable report of the programs: " + err.Error()
				continue
			}
			r.programs = append(r.programs, programs...)
			continue
		}
		found := verdictLine.FindStringSubmatch(line)
		if found == nil || strings.Contains(found[2], "/") {
			continue
		}
		switch found[1] {
		case "PASS":
			r.passed++
		case "SKIP":
			r.skipped++
		default:
			r.failed++
			r.failures = append(r.failures, found[2])
		}
	}
	return r
}
