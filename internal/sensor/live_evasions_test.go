// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// TestArgumentsOfAnInterpreterThatIsAScript are never judged, so they are not permitted.
func TestArgumentsOfAnInterpreterThatIsAScript(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	at := func(name string) string { return filepath.Join(r.dir, name) }
	touch(t, at("program"))
	script(t, at("tool"), at("program"))
	script(t, at("attack"), at("tool")+" -evil")
	listed := with(block(process, exact, at("tool")), func(r *compile.Rule) {
		r.Conditions, r.Arguments = compile.ConditionArguments, []string{"-a"}
	})
	rules := []compile.Rule{listed}
	for name, test := range map[string]languageCase{
		"a script of it":                 {rules, nil, []string{"run", at("attack")}, denied, listed.ID, OperationExec},
		"itself":                         {rules, nil, []string{"run", at("tool"), "-a"}, 0, 0, ""},
		"itself with another's argument": {rules, nil, []string{"run", at("tool"), "-evil"}, killed, listed.ID, OperationExec},
	} {
		t.Run(name, func(t *testing.T) { r.check(t, w, test) })
	}
}

// TestWhatWaitsForArguments: an execution for which there is no room to wait is refused and counted; one that failed
// leaves nothing.
func TestWhatWaitsForArguments(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	tool, broken := touch(t, filepath.Join(r.dir, "tool")), filepath.Join(r.dir, "broken")
	if err := os.WriteFile(broken, tinyProgram()[:64], 0o755); err != nil {
		t.Fatal(err)
	}
	permitted := func(path string) compile.Rule {
		return with(block(process, exact, path), func(r *compile.Rule) {
			r.Conditions, r.Arguments = compile.ConditionArguments, []string{"-a"}
		})
	}
	onTool := permitted(tool)
	pendings := r.core.maps["pendings"]
	waiting := func() int {
		n, it := 0, pendings.Iterate()
		for key, value := make([]byte, pendings.KeySize()), make([]byte, pendings.ValueSize()); it.Next(&key, &value); {
			n++
		}
		if err := it.Err(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	lost := func() uint64 { return stats(t, r.core).Drops["arguments_lost"] }

	r.confine(map[*workload][]compile.Rule{w: {permitted(broken)}})
	if got := w.do("run", broken, "-a"); got == 0 {
		t.Fatal("a broken program was executed")
	}
	// The kernel lets a task go some time after its end.
	n := waiting()
	for range 50 {
		if n == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
		n = waiting()
	}
	if n != 0 {
		t.Errorf("%d failed executions are still waited for", n)
	}

	r.check(t, w, languageCase{[]compile.Rule{onTool}, nil, []string{"run", tool, "-a"}, 0, 0, ""})
	before := lost()
	for i := range pendings.MaxEntries() {
		key := binary.NativeEndian.AppendUint64(make([]byte, 0, 16), uint64(i)+1)
		if err := pendings.Put(append(key, make([]byte, 8)...), make([]byte, pendings.ValueSize())); err != nil {
			t.Fatal(err)
		}
	}
	r.check(t, w, languageCase{[]compile.Rule{onTool}, nil, []string{"run", tool, "-a"}, denied, onTool.ID, OperationExec})
	if n := lost() - before; n != 1 {
		t.Errorf("counted as lost: %d, want 1", n)
	}
}
