// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"strings"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func TestPresetsInWords(t *testing.T) {
	for name, tt := range map[string]struct {
		preset, operation string
		domain            compile.Domain
		want              string
	}{
		"a program in memory":      {"filelessExec", enforcer.OperationExec, compile.DomainProcess, "PRESET-filelessExec, Process, lsm=SECURITY_BPRM_CHECK"},
		"memory of code":           {"anonymousMapExec", enforcer.OperationMmap, compile.DomainProcess, "PRESET-anonymousMapExec, Process, lsm=MMAP_FILE"},
		"memory that becomes code": {"anonymousMapExec", enforcer.OperationMprotect, compile.DomainProcess, "PRESET-anonymousMapExec, Process, lsm=FILE_MPROTECT"},
		"another's environment":    {"protectEnv", enforcer.OperationOpen, compile.DomainFile, "PRESET-protectEnv, File, lsm=FILE_OPEN flags=O_WRONLY|O_APPEND"},
		"another's memory":         {"protectProc", enforcer.OperationPtrace, compile.DomainProcess, "PRESET-protectProc, Process, lsm=PTRACE_ACCESS_CHECK"},
	} {
		t.Run(name, func(t *testing.T) {
			e, r := open(compile.ActionBlock, true), rule(compile.ActionBlock, compile.ActionBlock)
			e.Domain, e.Operation, r.Preset = tt.domain, tt.operation, tt.preset
			a := New(Node{}, e, Workload{}, r)
			if got := strings.Join([]string{a.Enforcer, a.Operation, a.Data}, ", "); got != tt.want || a.Result != resultDenied || a.PolicyName != "p" {
				t.Errorf("got %s, %s by %s, want %s", got, a.Result, a.PolicyName, tt.want)
			}
		})
	}
}
