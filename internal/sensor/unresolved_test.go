// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// TestAnUnknownPathGetsTheStrongerOfPostureAndRules in the kernel's own code.
func TestAnUnknownPathGetsTheStrongerOfPostureAndRules(t *testing.T) {
	core := openTestRun(t)
	const none, allow, audit, blocks = compile.ActionNone, compile.ActionAllow, compile.ActionAudit, compile.ActionBlock
	tests := map[string]struct {
		posture compile.Action
		rules   []compile.Action
		want    compile.Action
	}{
		"a posture that blocks":                        {blocks, []compile.Action{allow, audit}, blocks},
		"one that audits, where nothing is blocked":    {audit, []compile.Action{allow}, audit},
		"one that audits, where something is":          {audit, []compile.Action{allow, blocks}, blocks},
		"one that audits, where something is audited":  {audit, []compile.Action{allow, audit}, audit},
		"one that allows, where something is blocked":  {allow, []compile.Action{allow, blocks}, blocks},
		"one that allows, where something is audited":  {allow, []compile.Action{allow, audit}, audit},
		"one that allows, where nothing is":            {allow, []compile.Action{allow}, allow},
		"no allow-list, where something is blocked":    {none, []compile.Action{audit, blocks}, blocks},
		"no allow-list, where something is audited":    {none, []compile.Action{audit}, audit},
		"rules of another domain, which do not matter": {none, nil, allow},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			profile := compile.Profile{ID: 11, Rules: []compile.Rule{block(process, exact, "/x")}}
			for i, action := range test.rules {
				profile.Rules = append(profile.Rules, rule(action, files, exact, "/"+string(rune('a'+i))))
			}
			if test.posture != none {
				profile.Postures = map[compile.Domain]compile.Action{files: test.posture}
			}
			core.must(t, core.Hold(profile))
			got, err := core.Answer(table.Question{Domain: files, Unresolved: true})
			core.must(t, err)
			if diff := cmp.Diff(test.want, got.Action); diff != "" {
				t.Error(diff)
			}
		})
	}
}
