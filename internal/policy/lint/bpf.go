// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// inBPF asks the compiler, on a workload that the policy alone selects.
func inBPF(p policy.Policy, abilities compile.Abilities) []Unsupported {
	out := compile.Compile([]compile.Workload{{Selections: []compile.Selection{{Policy: &p}}}}, abilities)
	var all []Unsupported
	for _, result := range out.Policies {
		for _, u := range result.Unsupported {
			all = append(all, Unsupported{BPF, u.Rule, u.Reason, u.Message})
		}
	}
	return all
}
