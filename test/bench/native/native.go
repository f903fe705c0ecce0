// SPDX-License-Identifier: Apache-2.0

// Package native measures one decision of the core without a machine around it: the kernel runs the core's matching code
// over and over on one path, and counts the time itself.
package native

import (
	"errors"
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
	// Ask gives the rule that decides, 0 if none does.
	Ask(q table.Question) (compile.RuleID, error)
	// Time decides so many times, and returns what one took, by the kernel's count.
	Time(q table.Question, times int) (time.Duration, error)
	// Floor is the same for a program that does nothing.
	Floor(times int) (time.Duration, error)
}

// Rules, and lengths of paths in bytes, that are measured.
func rules() []int     { return []int{10, 100, 1000, 10_000} }
func pathBytes() []int { return []int{16, 64, 200, 1000, 4000} }

// The mixes of rules. The last one is the mix of all.
const (
	mixExact     = "exact"
	mixDirectory = "directory"
	mixPattern   = "pattern"
	mixMixed     = "mixed"
)

func mixes() []string { return []string{mixExact, mixDirectory, mixPattern, mixMixed} }

// sampleTime is how long one sample runs.
const sampleTime = 10 * time.Millisecond

// Measure takes samples for each mix, number of rules and length of path. No rule decides about the path: that is the
// longest way through.
func Measure(d Decider, samples int, log func(format string, args ...any)) ([]report.Native, error) {
	var all []report.Native
	for _, mix := range mixes() {
		for _, n := range rules() {
			var out compile.Output
			for i, length := range pathBytes() {
				q := table.Question{Domain: compile.DomainFile, Path: pathOf(length)}
				// The globs do not depend on the path, and many of them take long.
				if i == 0 || mix != mixPattern {
					out = compiled(policyOf(mix, n, q.Path))
				}
				if err := hold(d, out, q); err != nil {
					return nil, fmt.Errorf("%s, %d rules: %w", mix, n, err)
				}
				one, err := measure(d, q, samples)
				if err != nil {
					return nil, fmt.Errorf("%s, %d rules, path of %d bytes: %w", mix, n, length, err)
				}
				one.Mix, one.Rules, one.InForce, one.PathBytes = mix, n, out.Policies[0].InForce, length
				all = append(all, one)
			}
			log("native: %s, %d rules: %.0f ns for 64 bytes", mix, n, all[len(all)-4].Decision.Median)
		}
	}
	return all, nil
}

// compiled is what the agent puts in force. It may be less than the policy has: globs may need more room than there is.
func compiled(p policy.Policy) compile.Output {
	return compile.Compile([]compile.Workload{{
		Cgroup: compile.Cgroup{ID: 2, Level: 1}, Selections: []compile.Selection{{Policy: &p}},
	}}, compile.Everything())
}

// hold puts rules in force, and makes sure that none decides.
func hold(d Decider, out compile.Output, q table.Question) error {
	if len(out.Set.Profiles) != 1 {
		return errors.New("none is in force")
	}
	if err := d.Hold(out.Set.Profiles[0]); err != nil {
		return err
	}
	rule, err := d.Ask(q)
	if err != nil {
		return err
	}
	if rule != 0 {
		return fmt.Errorf("path %q was decided by rule %#x", q.Path, rule)
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

// policyOf makes n rules in folders of the path, so that folders are looked for, and globs that could match until the path
// ends.
func policyOf(mix string, n int, path string) policy.Policy {
	p := policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "bench", Name: mix}, Generation: 1}
	folders := foldersOf(path)
	for i := range n {
		r := policy.Rule{At: fmt.Sprintf("rules[%d]", i), Domain: policy.DomainFile, Action: policy.ActionBlock, Severity: 1}
		folder := folders[i%len(folders)]
		kind := mix
		if mix == mixMixed {
			kind = mixes()[[]int{0, 0, 0, 0, 0, 0, 1, 1, 1, 2}[i%10]]
		}
		switch kind {
		case mixExact:
			r.Path = fmt.Sprintf("%srule-%05d", folder, i)
		case mixDirectory:
			r.Directory, r.Recursive = fmt.Sprintf("%srule-%05d/", folder, i), i%2 == 0
		default:
			r.Pattern = fmt.Sprintf("/usr/lib/**/rule-%05d", i)
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

// folderCount is how many of the path's folders rules are in.
const folderCount = 8

// foldersOf the path, with a slash at the end: the first one, the last one that leaves room for a rule's name, and some in
// between.
func foldersOf(path string) []string {
	var all []string
	for i := 1; i < len(path)-1 && i < 4000; i++ {
		if path[i] == '/' {
			all = append(all, path[:i+1])
		}
	}
	if len(all) <= folderCount {
		return all
	}
	var some []string
	for i := range folderCount {
		some = append(some, all[i*(len(all)-1)/(folderCount-1)])
	}
	return some
}
