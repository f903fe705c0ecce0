// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

const (
	fileless     = "filelessExec"
	anonymousMap = "anonymousMapExec"
	protectEnv   = "protectEnv"
	protectProc  = "protectProc"
	entering     = "exec"
)

func presetRule(action compile.Action, name string) compile.Rule {
	return rule(action, 0, compile.MatchPreset, name)
}

// presetCase is one operation, and the presets that are about it.
type presetCase struct {
	do        []string
	presets   string
	operation string
}

// presetCases is the table of attacks, and of what must go on; dir holds its files.
func presetCases(t *testing.T, dir string) map[string]presetCase {
	t.Helper()
	file := func(name string) string { return touch(t, filepath.Join(dir, name)) }
	both := fileless + " " + anonymousMap
	return map[string]presetCase{
		"executing a memfd":                         {[]string{"memory-exec"}, both, OperationExec},
		"executing it without any path":             {[]string{"memory-handed"}, both, OperationExec},
		"executing a script in one":                 {[]string{"memory-script", file("interpreter")}, both, OperationExec},
		"executing a deleted file":                  {[]string{"unlinked-exec", file("gone")}, both, OperationExec},
		"executing a file that never had a name":    {[]string{"never-linked", dir}, both, OperationExec},
		"executing a file":                          {[]string{"exec", file("program")}, "", ""},
		"mapping a memfd, as ld.so does":            {[]string{"memory-map"}, both, OperationMmap},
		"making a mapped memfd executable":          {[]string{"memory-protect"}, both, OperationMprotect},
		"mapping a deleted file":                    {[]string{"unlinked-map", file("gone too")}, both, OperationMmap},
		"attaching shared memory":                   {[]string{"shm-attach"}, both, OperationMmap},
		"mapping a memfd for data":                  {[]string{"memory-read"}, "", ""},
		"mapping anonymous memory":                  {[]string{"anonymous-map"}, anonymousMap, OperationMmap},
		"mapping shared anonymous memory":           {[]string{"anonymous-shared"}, anonymousMap, OperationMmap},
		"making anonymous memory executable":        {[]string{"anonymous-later"}, anonymousMap, OperationMprotect},
		"mapping a device of zeroes":                {[]string{"device-map"}, anonymousMap, OperationMmap},
		"mapping a copy of a file that may change":  {[]string{"file-writable", file("library")}, anonymousMap, OperationMmap},
		"making the changed copy executable":        {[]string{"file-changed", file("changed")}, anonymousMap, OperationMprotect},
		"making an unchanged file executable":       {[]string{"file-later", file("library")}, "", ""},
		"mapping a library":                         {[]string{"file-map", file("library")}, "", ""},
		"mapping anonymous memory for data":         {[]string{"anonymous-data"}, "", ""},
		"one's own environment":                     {[]string{"proc-own"}, "", ""},
		"the list of processes":                     {[]string{"proc-list"}, "", ""},
		"what is nobody's in /proc":                 {[]string{"open", "/proc/meminfo"}, "", ""},
		"another's environment":                     {[]string{"proc-parent", "environ"}, protectEnv + " " + protectProc, OperationOpen},
		"by the name of its thread":                 {[]string{"proc-parent", "task/$/environ"}, protectEnv + " " + protectProc, OperationOpen},
		"by a reference to its directory":           {[]string{"proc-reference", "environ"}, protectEnv + " " + protectProc, OperationOpen},
		"through another procfs":                    {[]string{"proc-mounted", realDir(t), "environ"}, protectEnv + " " + protectProc, OperationOpen},
		"through a bind mount":                      {[]string{"proc-bound", file("bound"), "environ"}, protectEnv + " " + protectProc, OperationOpen},
		"through io_uring":                          {[]string{"proc-ring", "environ"}, protectEnv + " " + protectProc, OperationOpen},
		"another's memory, as a file":               {[]string{"proc-parent", "mem"}, protectProc, OperationOpen},
		"one's own memory, to change it":            {[]string{"change-memory", "/proc/self/mem"}, anonymousMap, OperationOpen},
		"by the name of a thread":                   {[]string{"change-memory", "/proc/thread-self/mem"}, anonymousMap, OperationOpen},
		"one's own memory, to read it":              {[]string{"open", "/proc/self/mem"}, "", ""},
		"a child that asks to be traced":            {[]string{"traced"}, protectProc, OperationPtrace},
		"another's directory":                       {[]string{"proc-parent", ""}, protectProc, OperationOpen},
		"another's threads":                         {[]string{"proc-parent", "task/$/status"}, protectProc, OperationOpen},
		"another's network":                         {[]string{"proc-parent", "net/unix"}, protectProc, OperationOpen},
		"another's files, by their links":           {[]string{"proc-parent", "root" + file("program")}, protectProc, OperationPtrace},
		"where another's executable is":             {[]string{"proc-link", "exe"}, protectProc, OperationPtrace},
		"another's memory, by a system call":        {[]string{"read-memory"}, protectProc, OperationPtrace},
		"tracing another":                           {[]string{"attach"}, protectProc, OperationPtrace},
		"taking a descriptor away from another":     {[]string{"take-descriptor"}, protectProc, OperationPtrace},
		"executing what nobody brought in":          {[]string{"run", file("program")}, "", ""},
		"reading a script in a file, as sh does it": {[]string{"open", file("script")}, "", ""},
	}
}

// TestPresets does every operation under each preset that is about it, which blocks and then audits, under all others
// together, and under none.
func TestPresets(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	for name, test := range presetCases(t, r.dir) {
		t.Run(name, func(t *testing.T) {
			r.t, w.t = t, t
			others := []compile.Rule{block(files, exact, "/nothing")}
			for _, preset := range []string{fileless, anonymousMap, protectEnv, protectProc, entering} {
				if !slices.Contains(strings.Fields(test.presets), preset) {
					others = append(others, presetRule(compile.ActionBlock, preset))
					continue
				}
				r.checkPreset(t, w, test, presetRule(compile.ActionBlock, preset))
				r.checkPreset(t, w, test, presetRule(compile.ActionAudit, preset))
			}
			r.checkPreset(t, w, presetCase{do: test.do}, others...)
			r.checkPreset(t, w, presetCase{do: test.do}, others[0])
		})
	}
	t.Run("executing a file of a mount that is nowhere", func(t *testing.T) {
		r.t, w.t = t, t
		r.checkNowhere(t, w)
	})
}

// checkNowhere goes without rules on files: under those that block, nobody makes a file there, as it has no path.
func (r *rig) checkNowhere(t *testing.T, w *workload) {
	t.Helper()
	for preset, want := range map[string]syscall.Errno{fileless: denied, anonymousMap: denied, protectProc: 0} {
		on := presetRule(compile.ActionBlock, preset)
		r.confine(map[*workload][]compile.Rule{w: {on}})
		if got := w.do("detached-exec"); got != want {
			t.Errorf("%s: %v, want %v", preset, got, want)
		}
		said := slices.ContainsFunc(r.take(), func(e Event) bool {
			return e.Rule == on.ID && e.Operation == OperationExec && e.Denied
		})
		if said != (want != 0) {
			t.Errorf("%s: an event says that it was denied: %v", preset, said)
		}
	}
}

// checkPreset does the operation under rules, of which the first is about it if any is.
func (r *rig) checkPreset(t *testing.T, w *workload, test presetCase, rules ...compile.Rule) {
	t.Helper()
	presetCases(t, r.dir) // what the last round deleted is there again
	r.confine(map[*workload][]compile.Rule{w: rules})
	want := syscall.Errno(0)
	if test.presets != "" && rules[0].Action == compile.ActionBlock {
		want = denied
	}
	// Some system calls have an error of their own for whatever is denied.
	if got := w.do(test.do[0], test.do[1:]...); got != want && (want == 0 || got != syscall.EPERM) {
		t.Errorf("%s %s: %v, want %v", rules[0].Action, rules[0].Path, got, want)
	}
	seen := 0
	for _, e := range r.take() {
		if test.presets == "" || e.Rule != rules[0].ID || e.Denied != (want != 0) || e.Unresolved != "" {
			t.Errorf("%s %s: an event: %+v", rules[0].Action, rules[0].Path, e)
		}
		seen += btoi(e.Operation == test.operation)
	}
	if test.presets != "" && seen == 0 {
		t.Errorf("%s %s: no event of %s", rules[0].Action, rules[0].Path, test.operation)
	}
}

// TestPresetsNameTheirObjects: what an event of a preset says.
func TestPresetsNameTheirObjects(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	tests := map[string]struct {
		preset   string
		do       []string
		domain   compile.Domain
		resource string
	}{
		"a memfd":          {fileless, []string{"memory-exec"}, process, "/memfd:worker (deleted)"},
		"anonymous memory": {anonymousMap, []string{"anonymous-map"}, process, anonymousMemory},
		"a file in /proc":  {protectEnv, []string{"open", "/proc/1/environ"}, files, "/proc/1/environ"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r.t, w.t = t, t
			one := presetRule(compile.ActionBlock, test.preset)
			r.confine(map[*workload][]compile.Rule{w: {one}})
			r.take()
			if got := w.do(test.do[0], test.do[1:]...); got != denied {
				t.Errorf("got %v, want %v", got, denied)
			}
			events := r.await()
			if len(events) != 1 || events[0].Rule != one.ID || events[0].Domain != test.domain || events[0].Resource != test.resource || !events[0].Denied {
				t.Errorf("events: %+v", events)
			}
		})
	}
}

func TestPresetsAreOnlyObservedInObserveMode(t *testing.T) {
	r := newRig(t, Options{Mode: ModeObserve})
	w := r.workload("observed")
	tests := map[string]presetCase{
		"a memfd":               {[]string{"memory-exec"}, fileless, OperationExec},
		"anonymous memory":      {[]string{"anonymous-map"}, anonymousMap, OperationMmap},
		"changed memory":        {[]string{"anonymous-later"}, anonymousMap, OperationMprotect},
		"another's environment": {[]string{"open", "/proc/1/environ"}, protectEnv, OperationOpen},
		"another's memory":      {[]string{"read-memory"}, protectProc, OperationPtrace},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r.t, w.t = t, t
			one := presetRule(compile.ActionBlock, test.presets)
			r.confine(map[*workload][]compile.Rule{w: {one}})
			r.take()
			if got := w.do(test.do[0], test.do[1:]...); got != 0 {
				t.Errorf("got %v, want success", got)
			}
			seen := 0
			for _, e := range r.await() {
				if e.Rule == one.ID && e.Operation == test.operation && e.Action == compile.ActionBlock && !e.Denied {
					seen++
				}
			}
			if seen == 0 {
				t.Errorf("no event of %s", test.operation)
			}
		})
	}
}

// TestPresetOfWhoComesFromOutside puts processes into containers as a runtime does.
func TestPresetOfWhoComesFromOutside(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	program := touch(t, filepath.Join(r.dir, "program"))
	one := presetRule(compile.ActionBlock, entering)
	newPID := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	confined := func(t *testing.T, name string) *workload {
		r.t = t
		w := r.workload(name)
		r.confine(map[*workload][]compile.Rule{w: {one}})
		r.take()
		return w
	}

	t.Run("into a container with a pid namespace of its own", func(t *testing.T) {
		w := confined(t, "entered")
		first := w.command("container", program)
		first.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
		if got := begin(t, first); got != 0 {
			t.Fatalf("its own program: %v", got)
		}
		if events := r.take(); len(events) != 0 {
			t.Errorf("events of the container itself: %+v", events)
		}
		if got := begin(t, workerCommand("enter", pidOf(first), w.path)); got != denied {
			t.Errorf("entered: %v, want %v", got, denied)
		}
		events := r.await()
		if len(events) != 1 || events[0].Rule != one.ID || !events[0].Denied || events[0].Operation != OperationExec {
			t.Errorf("events: %+v", events)
		}
	})

	t.Run("into a container that shares its pid namespace", func(t *testing.T) {
		w := confined(t, "shared")
		pause := workerCommand("container", program)
		pause.SysProcAttr = newPID
		if got := begin(t, pause); got != 0 {
			t.Fatal(got)
		}
		if got := begin(t, workerCommand("enter", pidOf(pause), w.path)); got != 0 {
			t.Errorf("the container's first process: %v", got)
		}
		if got := begin(t, workerCommand("enter", pidOf(pause), w.path)); got != denied {
			t.Errorf("entered: %v, want %v", got, denied)
		}
	})

	t.Run("a container inside of a container is no outside", func(t *testing.T) {
		w := confined(t, "nested")
		inner := w.command("container", program)
		inner.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
		if got := begin(t, inner); got != 0 {
			t.Fatal(got)
		}
		if got := begin(t, w.command("enter", pidOf(inner))); got != 0 {
			t.Errorf("from inside: %v", got)
		}
	})
}

func pidOf(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }

// begin starts a worker that goes on until the test ends, and gives the errno that it says first.
func begin(t *testing.T, cmd *exec.Cmd) syscall.Errno {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	var errno int
	if _, err := fmt.Sscanf(line, "errno %d\n", &errno); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return syscall.Errno(errno)
}
