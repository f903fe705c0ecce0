// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// The tests in live_*_test.go need a kernel that enforces. test/vm runs them in machines with such kernels, and sets
// mustRun, with which a test that cannot run fails instead of being skipped.
const (
	mustRun = "SENSOR_TESTS_MUST_RUN"
	cgroups = "/sys/fs/cgroup"
	bpffs   = "/sys/fs/bpf"
)

// requireMode skips unless this kernel was just seen doing what the mode promises.
func requireMode(t *testing.T, mode Mode) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err != nil {
		skip(t, "needs cgroup v2 at "+cgroups)
	}
	if err := canaries[mode](); err != nil {
		skip(t, "needs a kernel where the core works: "+err.Error())
	}
}

// canaries run once for all tests.
var canaries = map[Mode]func() error{
	ModeEnforce: sync.OnceValue(func() error { return Canary(context.Background(), ModeEnforce, os.TempDir()) }),
	ModeObserve: sync.OnceValue(func() error { return Canary(context.Background(), ModeObserve, os.TempDir()) }),
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(mustRun) != "" {
		t.Fatal(mustRun + " is set, and this test cannot run: " + why)
	}
	t.Skip(why)
}

// rig is a core with a log of its events, and workloads to confine.
type rig struct {
	t    *testing.T
	core *Core
	dir  string

	mu     sync.Mutex
	events []Event
	gen    uint64
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	requireMode(t, o.Mode)
	r := &rig{t: t, dir: realDir(t)}
	r.core = openCore(t, o)
	r.listen(r.core)
	return r
}

func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func openCore(t *testing.T, o Options) *Core {
	t.Helper()
	o.Cgroups = cgroups
	core, err := Open(t.Context(), o)
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		t.Log(strings.Join(verifier.Log[max(0, len(verifier.Log)-50):], "\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { core.Close() })
	return core
}

// listen collects a core's events until the test ends or stop is called.
func (r *rig) listen(core *Core) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- core.Run(ctx, func(e Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(stop)
	return stop
}

// take waits until the kernel has sent what it had to, and returns the events since the last call.
func (r *rig) take() []Event {
	r.t.Helper()
	for count := -1; ; {
		time.Sleep(100 * time.Millisecond)
		r.mu.Lock()
		if len(r.events) == count {
			taken := r.events
			r.events = nil
			r.mu.Unlock()
			return taken
		}
		count = len(r.events)
		r.mu.Unlock()
	}
}

// await is take where something must come, on a machine that may be slow.
func (r *rig) await() []Event {
	r.t.Helper()
	for range 100 {
		if events := r.take(); len(events) > 0 {
			return events
		}
	}
	return nil
}

// confine applies the next generation: the rules for each workload.
func (r *rig) confine(rules map[*workload][]compile.Rule) {
	r.t.Helper()
	if err := r.core.Apply(r.t.Context(), r.set(rules)); err != nil {
		r.t.Fatal(err)
	}
}

// confinePosture is confine where domains are allow-lists.
func (r *rig) confinePosture(rules map[*workload][]compile.Rule, postures map[compile.Domain]compile.Action) {
	r.t.Helper()
	set := r.set(rules)
	for i := range set.Profiles {
		set.Profiles[i].Postures = postures
		set.Profiles[i].ID += compile.ProfileID(r.gen << 32)
	}
	for cgroup, id := range set.Bindings {
		set.Bindings[cgroup] = id + compile.ProfileID(r.gen<<32)
	}
	if err := r.core.Apply(r.t.Context(), set); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) set(rules map[*workload][]compile.Rule) compile.Set {
	r.gen++
	set := compile.Set{Generation: r.gen, Bindings: map[compile.Cgroup]compile.ProfileID{}}
	seen := map[compile.ProfileID]bool{}
	for w, list := range rules {
		p := profileOf(list)
		if !seen[p.ID] {
			seen[p.ID] = true
			set.Profiles = append(set.Profiles, p)
		}
		set.Bindings[w.cgroup] = p.ID
	}
	return set
}

func profileOf(rules []compile.Rule) compile.Profile {
	text, _ := json.Marshal(rules)
	id := uint64(14695981039346656037)
	for _, b := range text {
		id = (id ^ uint64(b)) * 1099511628211
	}
	return compile.Profile{ID: compile.ProfileID(id), Rules: rules}
}

// workload is a cgroup in which operations are done.
type workload struct {
	t      *testing.T
	path   string
	cgroup compile.Cgroup
}

// workload makes a cgroup two levels below the root, as a Pod's container has it.
func (r *rig) workload(name string) *workload {
	r.t.Helper()
	parent := filepath.Join(cgroups, "sensor-test")
	w := &workload{t: r.t, path: filepath.Join(parent, name)}
	if err := os.MkdirAll(w.path, 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		// Children first; a cgroup goes only when its last process is gone.
		for range 50 {
			below, _ := filepath.Glob(filepath.Join(w.path, "*", "cgroup.procs"))
			for _, procs := range below {
				os.Remove(filepath.Dir(procs))
			}
			if os.Remove(w.path) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	var st unix.Stat_t
	if err := unix.Stat(w.path, &st); err != nil {
		r.t.Fatal(err)
	}
	w.cgroup = compile.Cgroup{ID: compile.CgroupID(st.Ino), Level: 2, Path: w.path}
	return w
}

// command is a process that does one operation of worker_test.go, inside the workload's cgroup from its first
// instruction.
func (w *workload) command(operation string, args ...string) *exec.Cmd {
	w.t.Helper()
	cgroup, err := os.Open(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cgroup.Close() })
	cmd := workerCommand(operation, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	return cmd
}

func workerCommand(operation string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), workerOperation+"="+operation)
	cmd.Stderr = os.Stderr
	return cmd
}

// do does one operation and returns its errno, 0 if it succeeded.
func (w *workload) do(operation string, args ...string) syscall.Errno {
	w.t.Helper()
	errno, _ := w.doAs(operation, args...)
	return errno
}

// doAs is do, and tells the process id outside.
func (w *workload) doAs(operation string, args ...string) (syscall.Errno, uint32) {
	w.t.Helper()
	return w.answer(w.command(operation, args...))
}

// answer runs a command, and returns its errno and process id.
func (w *workload) answer(cmd *exec.Cmd) (syscall.Errno, uint32) {
	w.t.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%s: %v", cmd, err)
	}
	var errno int
	if _, err := fmt.Sscanf(out.String(), "errno %d\n", &errno); err != nil {
		w.t.Fatalf("%s answered %q: %v", cmd, out.String(), err)
	}
	return syscall.Errno(errno), uint32(cmd.Process.Pid)
}

// touch makes a file, executable and with folders.
func touch(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, tinyProgram(), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func block(domain compile.Domain, match compile.Match, path string) compile.Rule {
	return rule(compile.ActionBlock, domain, match, path)
}

// rule has an id that follows from its content.
func rule(action compile.Action, domain compile.Domain, match compile.Match, path string) compile.Rule {
	r := compile.Rule{Domain: domain, Match: match, Action: action, Path: path}
	r.ID = compile.RuleID(profileOf([]compile.Rule{r}).ID)
	return r
}
