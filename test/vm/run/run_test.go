// SPDX-License-Identifier: Apache-2.0

// Package run holds what karmor run enforces in a real kernel against the reference model: the same policies, the same
// operations, the same verdicts. The table is testdata, which `karmor policy test` reads too.
package run

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
	"github.com/kubearmor/kubearmor-operator/test/vm/run/script"
)

const (
	// lsm is the list of a kernel that asks BPF programs.
	lsm = "landlock,lockdown,yama,integrity,apparmor,bpf"
	// defaultKernels is one that is common, as each run of karmor loads the core anew; VM_KERNELS names others, all of which
	// have to attach.
	defaultKernels = "6.12/amd64"
	// module is the project's own.
	module = "github.com/kubearmor/kubearmor-operator"
)

// mergeUsr makes the small userland one whose /bin and /lib are symlinks.
const mergeUsr = `mkdir -p /usr/lib && mv /bin /usr/bin && /usr/bin/busybox ln -s usr/bin /bin && rm -rf /lib && ln -s usr/lib /lib`

func TestRunEnforcesWhatTheModelSays(t *testing.T) {
	table := chosen(t, readTable(t))
	for _, kernel := range strings.Fields(cmp.Or(os.Getenv("VM_KERNELS"), defaultKernels)) {
		t.Run(kernel, func(t *testing.T) {
			m := newMachine(t, kernel)
			var runs []script.Run
			for _, s := range table {
				runs = append(runs, s.script(m.policies))
			}
			t.Logf("%d runs, one after the other", len(runs))
			reports := m.run(t, runs)
			for _, s := range table {
				t.Run(s.name, func(t *testing.T) { s.compare(t, reports[s.name]) })
			}
		})
	}
}

// chosen are the scenes that VM_SCENES names, by the begins of their names; all of them when it names none.
func chosen(t *testing.T, table []scene) []scene {
	t.Helper()
	names := strings.Fields(os.Getenv("VM_SCENES"))
	if len(names) == 0 {
		return table
	}
	table = slices.DeleteFunc(table, func(s scene) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(s.name, name) })
	})
	if len(table) == 0 {
		t.Fatalf("VM_SCENES: no scene's name begins with any of %q", names)
	}
	return table
}

// machine is what one kernel is tested with.
type machine struct {
	version, arch                       string
	dir, worker, karmor, policies, list string
}

func newMachine(t *testing.T, kernel string) machine {
	t.Helper()
	version, arch, found := strings.Cut(kernel, "/")
	if !found {
		t.Fatalf("VM_KERNELS: %q is not KERNEL/ARCH, such as 6.12/arm64", kernel)
	}
	dir := t.TempDir()
	m := machine{
		version: version, arch: arch, dir: dir,
		worker: filepath.Join(dir, "worker"), karmor: filepath.Join(dir, "karmor"),
		policies: filepath.Join(dir, "policies"), list: filepath.Join(dir, "script.json"),
	}
	build(t, arch, m.worker, module+"/test/vm/run/worker")
	build(t, arch, m.karmor, module+"/cmd/karmor")
	if err := os.CopyFS(m.policies, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	return m
}

// build makes a static program.
func build(t *testing.T, arch, file, pkg string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, pkg)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}

// run boots the machine once for all runs, and gives their reports by name.
func (m machine) run(t *testing.T, runs []script.Run) map[string]script.Report {
	t.Helper()
	text, err := json.Marshal(runs)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("%s && mkdir -p /opt && cp %s %s && %s run %s", mergeUsr, m.worker, script.Worker, script.Worker, m.list)
	reports := map[string]script.Report{}
	for text := range strings.Lines(m.shell(t, lsm, line)) {
		var r script.Report
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("read a report: %v in %q", err, text)
		}
		reports[r.Name] = r
	}
	return reports
}

// shell runs a command line, which must succeed, and gives what it printed.
func (m machine) shell(t *testing.T, lsm, line string) string {
	t.Helper()
	store, err := cache.Open(filepath.Join("..", "..", "..", ".cache", "testbed"), progress.New(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	var out, console bytes.Buffer
	command := vm.Command{
		Cache: store, KernelVersion: m.version, Arch: m.arch, LSM: lsm, MemoryMiB: 1536,
		Files: []string{m.dir}, Binaries: []string{m.karmor}, Line: line, Timeout: 25 * time.Minute,
		Stdout: &out, Stderr: os.Stderr, Console: &console,
	}
	code, err := command.Run(t.Context())
	if err != nil {
		t.Fatalf("the machine failed: %v\n%s", err, out.String())
	}
	if code != 0 {
		t.Fatalf("exit status %d\n%s%s", code, out.String(), console.String())
	}
	if strings.Contains(console.String(), "Oops") || strings.Contains(console.String(), "WARNING:") {
		t.Errorf("the kernel complained:\n%s", console.String())
	}
	return out.String()
}
