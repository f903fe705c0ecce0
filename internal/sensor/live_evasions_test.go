// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// TestTheKernelsOwnUseOfACapabilityIsNotTheTasks: overlayfs copies up with the credentials of who mounted it.
func TestTheKernelsOwnUseOfACapabilityIsNotTheTasks(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	layers := filepath.Join(r.dir, "layers")
	at := func(name string) string { return filepath.Join(layers, name) }
	mount(t, "layers", layers, "tmpfs", "")
	for _, name := range []string{"lower/blocked", "lower/listed", "upper/x", "work/x"} {
		touch(t, at(name))
	}
	os.Remove(at("work/x"))
	merged := filepath.Join(r.dir, "merged")
	mount(t, "overlay", merged, "overlay", "lowerdir="+at("lower")+",upperdir="+at("upper")+",workdir="+at("work"))
	in := func(name string) string { return filepath.Join(merged, name) }
	capabilities := compile.DomainCapabilities
	noAdmin := block(capabilities, compile.MatchCapability, "sys_admin")
	for name, test := range map[string]languageCase{
		"the kernel's":       {[]compile.Rule{noAdmin}, nil, []string{"write", in("blocked")}, 0, 0, ""},
		"the task's own use": {[]compile.Rule{noAdmin}, nil, []string{"trusted", at("upper/x")}, unix.EPERM, noAdmin.ID, OperationCapable},
	} {
		t.Run(name, func(t *testing.T) { r.check(t, w, test) })
	}
	// Here the worker is denied something for itself as it starts, and says so.
	onlyRaw := rule(compile.ActionAllow, capabilities, compile.MatchCapability, "net_raw")
	r.t, w.t = t, t
	r.confinePosture(map[*workload][]compile.Rule{w: {onlyRaw}}, map[compile.Domain]compile.Action{capabilities: compile.ActionBlock})
	if got := w.do("write", in("listed")); got != 0 {
		t.Errorf("under a posture: %v", got)
	}
}
