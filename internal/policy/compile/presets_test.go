// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func preset(name securityv1.PresetName, action securityv1.Action) securityv1.KubeArmorPolicySpec {
	return securityv1.KubeArmorPolicySpec{Presets: []securityv1.Preset{{Name: name, Action: action}}}
}

func TestPresetsCombine(t *testing.T) {
	block, audit, allow := securityv1.ActionBlock, securityv1.ActionAudit, securityv1.ActionAllow
	severe := preset(securityv1.PresetExec, block)
	severe.Severity = 9
	mixed := processes(action(allow), securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}})
	mixed.Presets = []securityv1.Preset{{Name: securityv1.PresetExec}, {Name: securityv1.PresetProtectEnv, Action: audit}}
	tests := map[string]struct {
		policies  []*policy.Policy
		audited   bool
		abilities Abilities
		rules     []string
		left      []string
		// decider is the policy of the first rule.
		decider string
	}{
		"Block over Audit": {
			policies:  []*policy.Policy{ksp("a", preset(securityv1.PresetExec, audit)), ksp("b", preset(securityv1.PresetExec, block))},
			abilities: Everything(), rules: []string{"none Block preset exec"}, decider: "b",
		},
		"of equal ones the more severe": {
			policies:  []*policy.Policy{ksp("a", preset(securityv1.PresetExec, block)), ksp("b", severe)},
			abilities: Everything(), rules: []string{"none Block preset exec"}, decider: "b",
		},
		"an audited workload is not blocked": {
			policies: []*policy.Policy{ksp("a", preset(securityv1.PresetFilelessExec, block))}, audited: true,
			abilities: Everything(), rules: []string{"none Audit preset filelessExec"}, decider: "a",
		},
		"an Allow does nothing, and makes no allow-list": {
			policies: []*policy.Policy{ksp("a", preset(securityv1.PresetExec, allow))}, abilities: Everything(),
		},
		"not even by the policy's own action": {
			policies: []*policy.Policy{ksp("a", mixed)}, abilities: Everything(),
			rules:   []string{"none Audit preset protectEnv", "process Allow path /x", "process posture Audit"},
			decider: "a",
		},
		"an enforcer without presets names them": {
			policies: []*policy.Policy{ksp("a", preset(securityv1.PresetExec, block))}, abilities: onlyPaths(),
			left: []string{"spec.presets[0] PresetUnsupported"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			workloads := on(tt.policies...)
			workloads[0].AuditOnly = tt.audited
			out := Compile(workloads, tt.abilities)
			if diff := cmp.Diff(tt.rules, lines(out)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.left, left(out)); diff != "" {
				t.Errorf("not in force (-want +got):\n%s", diff)
			}
			if tt.decider == "" {
				return
			}
			r := out.Set.Profiles[0].Rules[0]
			if info := out.Rules[r.ID]; info.Policy.Name != tt.decider || info.Preset != r.Path {
				t.Errorf("the rule is %+v", info)
			}
		})
	}
}
