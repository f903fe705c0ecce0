// SPDX-License-Identifier: Apache-2.0

package example

import (
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// Compile compiles the workload for a cgroup, as it is seen at root (nil: every path is taken as it is written), without
// the rules that the core cannot hold. It gives the workload without them, and counts them.
func Compile(w model.Workload, cgroup compile.Cgroup, root compile.Root) (kept model.Workload, out compile.Output, dropped int) {
	w = Clone(w)
	for {
		out := compile.Compile([]compile.Workload{Workload(w, cgroup, root)}, compile.Everything())
		left := 0
		for _, result := range out.Policies {
			for _, u := range result.Unsupported {
				// Such a rule holds for the path as it is written.
				if u.Reason != compile.ReasonMultiCall && drop(w, result.Ref, u.Rule) {
					left++
				}
			}
		}
		if left == 0 {
			return w, out, dropped
		}
		dropped += left
	}
}

// Workload is the model's as the compiler takes it.
func Workload(w model.Workload, cgroup compile.Cgroup, root compile.Root) compile.Workload {
	in := compile.Workload{Cgroup: cgroup, Postures: w.Postures, Root: root, Exempt: true}
	for i := range w.Policies {
		in.AuditOnly = in.AuditOnly || w.Policies[i].AuditOnly
		in.Selections = append(in.Selections, compile.Selection{Policy: &w.Policies[i].Policy})
	}
	return in
}

func drop(w model.Workload, ref policy.Ref, at string) bool {
	for i := range w.Policies {
		p := &w.Policies[i].Policy
		if p.Ref != ref {
			continue
		}
		before := len(p.Rules)
		p.Rules = slices.DeleteFunc(p.Rules, func(r policy.Rule) bool { return r.At == at })
		return len(p.Rules) < before
	}
	return false
}
