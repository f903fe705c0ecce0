// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// attack opens a file in a tight loop, in the workload, until stop, which returns how often it was denied and allowed.
func (w *workload) attack(path string) (stop func() (denied, allowed int)) {
	w.t.Helper()
	cmd := w.command("loop", path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out := start(w.t, cmd, "looping")
	return func() (denied, allowed int) {
		w.t.Helper()
		stdin.Close()
		last, err := out.ReadString('\n')
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := fmt.Sscanf(last, "denied %d allowed %d", &denied, &allowed); err != nil {
			w.t.Fatalf("the attacker said %q: %v", last, err)
		}
		if _, err := io.Copy(io.Discard, out); err != nil {
			w.t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			w.t.Error(err)
		}
		return denied, allowed
	}
}

// start starts a worker and waits until it says that it is ready.
func start(t *testing.T, cmd *exec.Cmd, ready string) *bufio.Reader {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	if strings.TrimSpace(line) != ready {
		t.Fatalf("the worker said %q, not %q (%v)", line, ready, err)
	}
	return out
}

// kill ends a worker as kill -9 does.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var killed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &killed) || killed.Exited() {
		t.Fatalf("the worker ended by itself: %v", err)
	}
}

// detachAfter leaves nothing for the next test.
func detachAfter(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if err := DetachAll(bpffs); err != nil {
			t.Error(err)
		}
	})
}

// mustHold ends an attack and fails if one attempt was allowed.
func mustHold(t *testing.T, stop func() (denied, allowed int)) {
	t.Helper()
	denied, allowed := stop()
	t.Logf("%d attempts denied, %d allowed", denied, allowed)
	if allowed != 0 || denied == 0 {
		t.Errorf("%d attempts allowed, %d denied", allowed, denied)
	}
}

func TestNoAttemptPassesWhileGenerationsChange(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	rules := func(i int) []compile.Rule {
		list := []compile.Rule{block(files, exact, secret)}
		if i%2 == 0 {
			list[0] = block(files, recursive, r.dir+"/")
		}
		// Another content makes another profile: every switch writes one and deletes one.
		return append(list, rule(compile.ActionAudit, files, exact, fmt.Sprintf("/other/%d", i)))
	}
	r.confine(map[*workload][]compile.Rule{w: rules(0)})
	stop := w.attack(secret)
	switches := 0
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); switches++ {
		r.confine(map[*workload][]compile.Rule{w: rules(switches + 1)})
	}
	mustHold(t, stop)
	t.Logf("%d switches", switches)
	if s := stats(t, r.core); s.Generation != r.gen || used(s, tableRules) < 2 {
		t.Errorf("after %d switches: %+v", switches, s)
	}
	mustHoldOneSetOfTables(t, r.core)
}

// mustHoldOneSetOfTables: the one in force, and no rest of others.
func mustHoldOneSetOfTables(t *testing.T, core *Core) {
	t.Helper()
	header, err := core.header()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{tableRules, tableAutomata} {
		for place := range uint32(2) {
			var id ebpf.MapID
			err := core.maps[name].Lookup(place, &id)
			if held := err == nil; held != (place == header.Tables) {
				t.Errorf("%s: place %d is held: %v (%v); the tables in force are in %d", name, place, held, err, header.Tables)
			}
		}
	}
}

func stats(t *testing.T, core *Core) Stats {
	t.Helper()
	s, err := core.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func used(s Stats, table string) int {
	for _, have := range s.Tables {
		if have.Name == table {
			return int(have.Used)
		}
	}
	return -1
}

// TestEnforcementOutlivesItsLoader: killed, the loader's policy holds; a new one takes over without a gap.
func TestEnforcementOutlivesItsLoader(t *testing.T) {
	requireMode(t, ModeEnforce)
	detachAfter(t)
	r := &rig{t: t, dir: realDir(t)}
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	set := storedSet{Generation: 7, Cgroup: w.cgroup, Rules: []compile.Rule{block(files, exact, secret)}}
	loader := startLoader(t, "load", set)
	stop := w.attack(secret)
	kill(t, loader)
	if got := w.do("open", secret); got != denied {
		t.Fatalf("after the loader's death: %v, want %v", got, denied)
	}

	for range 3 {
		core := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
		if s := stats(t, core); s.Generation != 7 || used(s, tableRules) < 1 {
			t.Errorf("adopted: %+v", s)
		}
		if err := core.Apply(t.Context(), set.set()); err != nil {
			t.Error(err)
		}
		core.Close()
	}
	mustHold(t, stop)
	core := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	stopListening := r.listen(core)
	if events := r.await(); len(events) == 0 || events[0].Resource != secret {
		t.Error("the events of the time when nobody listened are not in the ring")
	}
	stopListening()
	if err := core.Detach(); err != nil {
		t.Error(err)
	}
	// The kernel takes links off a little later.
	got := w.do("open", secret)
	for i := 0; i < 100 && got != 0; i++ {
		time.Sleep(100 * time.Millisecond)
		got = w.do("open", secret)
	}
	if got != 0 {
		t.Errorf("after detaching: %v", got)
	}
}

func startLoader(t *testing.T, operation string, set storedSet) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "set.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := workerCommand(operation, bpffs, path)
	start(t, cmd, "loaded")
	return cmd
}

// TestACoreOfAnotherShapeEnforcesUntilTheNewOneHasPolicies.
func TestACoreOfAnotherShapeEnforcesUntilTheNewOneHasPolicies(t *testing.T) {
	requireMode(t, ModeEnforce)
	detachAfter(t)
	r := &rig{t: t, dir: realDir(t)}
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	set := storedSet{Generation: 1, Cgroup: w.cgroup, Rules: []compile.Rule{block(files, exact, secret)}}
	old := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	if err := old.Apply(t.Context(), set.set()); err != nil {
		t.Fatal(err)
	}
	// From here on it looks like one of another version.
	other := filepath.Join(old.pins.root, "000000000000")
	if err := os.Rename(old.pins.dir, other); err != nil {
		t.Fatal(err)
	}
	old.Close()
	stop := w.attack(secret)
	core := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	if s := stats(t, core); s.Generation != 0 {
		t.Errorf("a core of another shape was adopted: %+v", s)
	}
	if err := core.Apply(t.Context(), set.set()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old core is still pinned: %v", err)
	}
	time.Sleep(200 * time.Millisecond)
	mustHold(t, stop)
}

// TestACoreWithAMissingMapIsReplacedWithoutAGap, whoever removed it.
func TestACoreWithAMissingMapIsReplacedWithoutAGap(t *testing.T) {
	requireMode(t, ModeEnforce)
	detachAfter(t)
	r := &rig{t: t, dir: realDir(t)}
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	set := storedSet{Generation: 1, Cgroup: w.cgroup, Rules: []compile.Rule{block(files, exact, secret)}}
	old := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	if err := old.Apply(t.Context(), set.set()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(old.pins.mapPath(tableRules)); err != nil {
		t.Fatal(err)
	}
	old.Close()
	stop := w.attack(secret)
	core := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	if err := core.Apply(t.Context(), set.set()); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(core.pins.root); err != nil || len(entries) != 1 {
		t.Errorf("pinned cores: %v %v", entries, err)
	}
	time.Sleep(200 * time.Millisecond)
	mustHold(t, stop)
}

// TestNoAttemptPassesWhenTheAgentIsKilledAtAnyMoment: while it opens the core, writes rules, switches or cleans up.
func TestNoAttemptPassesWhenTheAgentIsKilledAtAnyMoment(t *testing.T) {
	requireMode(t, ModeEnforce)
	detachAfter(t)
	r := &rig{t: t, dir: realDir(t)}
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	set := storedSet{Generation: 1, Cgroup: w.cgroup, Rules: []compile.Rule{block(files, exact, secret)}}
	kill(t, startLoader(t, "load", set))
	stop := w.attack(secret)
	for range 4 {
		churner := startLoader(t, "churn", set)
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
		kill(t, churner)
	}
	mustHold(t, stop)
	core := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	if err := core.Apply(t.Context(), set.set()); err != nil {
		t.Fatal(err)
	}
	mustHoldOneSetOfTables(t, core)
}

func TestTheNextApplyRemovesWhatADeadAgentLeft(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	r.confine(map[*workload][]compile.Rule{w: {block(files, exact, "/whole")}})
	_, layout, err := layOut([]compile.Profile{profileOf([]compile.Rule{block(files, exact, "/left")})}, r.core.key)
	if err != nil {
		t.Fatal(err)
	}
	header, err := r.core.header()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.core.writeTables(1-header.Tables, layout); err != nil {
		t.Fatal(err)
	}
	r.confine(map[*workload][]compile.Rule{w: {block(files, exact, "/whole")}})
	mustHoldOneSetOfTables(t, r.core)
}

func TestASetThatDoesNotFitLeavesThePreviousOne(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	secret := touch(t, filepath.Join(r.dir, "secret"))
	r.confine(map[*workload][]compile.Rule{w: {block(files, exact, secret)}})
	before := stats(t, r.core)
	many := make([]compile.Rule, table.MaxEntries+1)
	for i := range many {
		many[i] = rule(compile.ActionAudit, files, exact, fmt.Sprintf("/many/%d", i))
	}
	err := r.core.Apply(t.Context(), r.set(map[*workload][]compile.Rule{w: many}))
	var full *TableFullError
	if !errors.As(err, &full) {
		t.Fatalf("got %v, want a TableFullError", err)
	}
	if diff := cmp.Diff(TableFullError{Table: tableRules, Need: table.MaxEntries + 1, Capacity: table.MaxEntries}, *full); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, stats(t, r.core)); diff != "" {
		t.Errorf("the core changed (-before +after):\n%s", diff)
	}
	if got := w.do("open", secret); got != denied {
		t.Errorf("the previous set: %v, want %v", got, denied)
	}
}
