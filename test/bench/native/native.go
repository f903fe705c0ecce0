// SPDX-License-Identifier: Apache-2.0

// Package native measures one decision of the core without a machine around it: the kernel runs the core's matching code
// over and over on one path, and counts the time itself.
package native

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
)

// Decider runs the core's matching code.
type Decider interface {
	// Hold replaces the profile that is compared with.
	Hold(p compile.Profile) error
	// Ask decides once.
	Ask(q table.Question) (table.Answer, error)
	// Time decides so many times, and returns what one took, by the kernel's count.
	Time(q table.Question, times int) (time.Duration, error)
	// Floor is the same for a program that does nothing.
	Floor(times int) (time.Duration, error)
}

// Rules, and lengths of paths in bytes, that are measured.
func rules() []int     { return []int{10, 100, 1000, 10_000} }
func pathBytes() []int { return []int{16, 64, 200, 1000, 4000} }

// The mixes of rules. The last one is the mix of all.
func mixes() []string { return []string{"exact", "directory", "pattern", "mixed"} }

// sampleTime is how long one sample runs.
const sampleTime = 10 * time.Millisecond

// Measure takes samples for each mix, number of rules and length of path. No rule decides about the path: that is the
// longest way through.
func Measure(d Decider, samples int, log func(format string, args ...any)) ([]report.Native, error) {
	var all []report.Native
	for _, mix := range mixes() {
		for _, n := range rules() {
			for _, length := range pathBytes() {
				q := table.Question{Domain: compile.DomainFile, Path: pathOf(length)}
				if err := hold(d, mix, n, q); err != nil {
					return nil, err
				}
				one, err := measure(d, q, samples)
				if err != nil {
					return nil, fmt.Errorf("%s, %d rules, path of %d bytes: %w", mix, n, length, err)
				}
				one.Mix, one.Rules, one.PathBytes = mix, n, length
				all = append(all, one)
			}
			log("native: %s, %d rules: %.0f ns for 64 bytes", mix, n, all[len(all)-4].Decision.Median)
		}
	}
	return all, nil
}

// hold compiles the rules as the agent does, and makes sure that none decides.
func hold(d Decider, mix string, n int, q table.Question) error {
	p := policyOf(mix, n, q.Path)
	out := compile.Compile([]compile.Workload{{
		Cgroup: compile.Cgroup{ID: 2, Level: 1}, Selections: []compile.Selection{{Policy: &p}},
	}}, compile.Everything())
	if len(out.Set.Profiles) != 1 || out.Policies[0].InForce != n {
		return fmt.Errorf("%s, %d rules: %d are in force", mix, n, out.Policies[0].InForce)
	}
	if err := d.Hold(out.Set.Profiles[0]); err != nil {
		return fmt.Errorf("%s, %d rules: %w", mix, n, err)
	}
	answer, err := d.Ask(q)
	if err != nil {
		return err
	}
	if answer.Rule != 0 {
		return fmt.Errorf("%s, %d rules: path %q was decided by rule %#x", mix, n, q.Path, answer.Rule)
	}
	return nil
}

func measure(d Decider, q table.Question, samples int) (report.Native, error) {
	var out report.Native
	times := 100
	for {
		each, err := d.Time(q, times)
		if err != nil {
			return out, err
		}
		if each*time.Duration(times) >= sampleTime/2 {
			times = max(1, int(sampleTime/max(each, 1)))
			break
		}
		times *= 2
	}
	var decisions, floors []float64
	for range samples {
		each, err := d.Time(q, times)
		if err != nil {
			return out, err
		}
		floor, err := d.Floor(times)
		if err != nil {
			return out, err
		}
		decisions, floors = append(decisions, float64(each.Nanoseconds())), append(floors, float64(floor.Nanoseconds()))
	}
	out.Decision, out.Floor = stats.Of(decisions), stats.Of(floors)
	return out, nil
}

// pathOf is a path of just that many bytes, with a component about every 11 bytes, as in /usr/lib/x86_64-linux-gnu.
func pathOf(length int) string {
	path := "/usr/lib"
	for i := 0; len(path) < length; i++ {
		next := fmt.Sprintf("/part-%05d", i)
		if left := length - len(path); left < len(next)+2 {
			next = "/" + strings.Repeat("f", left-1)
		}
		path += next
	}
	return path
}

// policyOf makes n rules whose folders are those of the path, so that the folders are looked for at every depth and no
// automaton ends before the path does.
func policyOf(mix string, n int, path string) policy.Policy {
	p := policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "bench", Name: mix}, Generation: 1}
	folders := foldersOf(path)
	for i := range n {
		r := policy.Rule{At: fmt.Sprintf("rules[%d]", i), Domain: policy.DomainFile, Action: policy.ActionBlock, Severity: 1}
		folder := folders[i%len(folders)]
		kind := mix
		if mix == "mixed" {
			kind = mixes()[[]int{0, 0, 0, 0, 0, 0, 1, 1, 1, 2}[i%10]]
		}
		switch kind {
		case "exact":
			r.Path = fmt.Sprintf("%srule-%05d", folder, i)
		case "directory":
			r.Directory, r.Recursive = fmt.Sprintf("%srule-%05d/", folder, i), i%2 == 0
		default:
			r.Pattern = fmt.Sprintf("/usr/lib/**-%05d.key", i)
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

// foldersOf the path that are below /usr/, with a slash at the end, or that alone. Of a very long path they are the first
// ones: a rule may be as long as a path, and then has no room for a name.
func foldersOf(path string) []string {
	folders := []string{"/usr/"}
	for i := len("/usr/"); i < len(path) && len(folders) < 64; i++ {
		if path[i] == '/' {
			folders = append(folders, path[:i+1])
		}
	}
	return folders
}
