// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

const place = "/kubepods/pod1/" + idA

// machine is a hierarchy and a /proc that tests fill.
type machine struct {
	t *testing.T
	processes
}

func newMachine(t *testing.T) machine {
	m := machine{t, processes{proc: t.TempDir(), hierarchy: tree(t, place+"/nested")}}
	m.start(1, 1, m.folder())
	return m
}

// folder with one symlink in it.
func (m machine) folder() string {
	dir := m.t.TempDir()
	m.must(os.Symlink("usr/bin", filepath.Join(dir, "bin")))
	return dir
}

func (m machine) must(errs ...error) {
	m.t.Helper()
	if err := errors.Join(errs...); err != nil {
		m.t.Fatal(err)
	}
}

// start a process: its name is made to confuse who reads its start time.
func (m machine) start(id int, at uint64, root string) {
	m.t.Helper()
	dir := filepath.Join(m.proc, fmt.Sprint(id))
	m.must(
		os.RemoveAll(dir), os.Mkdir(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "stat"), fmt.Appendf(nil, "%d (a) 1 (b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0", id, at), 0o644),
	)
	if root != "" {
		m.must(os.Symlink(root, filepath.Join(dir, "root")))
	}
}

// join puts processes into a cgroup.
func (m machine) join(place string, ids string) {
	m.t.Helper()
	m.must(os.WriteFile(filepath.Join(m.hierarchy.top, place, "cgroup.procs"), []byte(ids), 0o644))
}

func (m machine) cgroup() compile.Cgroup {
	return compile.Cgroup{ID: m.hierarchy.inode(m.t, place), Level: 3, Path: place}
}

func TestTheRootIsThatOfTheOldestProcess(t *testing.T) {
	m := newMachine(t)
	first, chrooted := m.folder(), m.folder()
	m.start(70, 500, chrooted)
	m.start(80, 400, first)
	m.start(90, 300, "") // a zombie has no root
	m.join(place, "70\n0\n90\n99\n")
	m.join(place+"/nested", "80\n")
	dir, by, err := m.openRoot(m.cgroup())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	want, err := m.identity(80)
	m.must(err)
	if got, err := identify(dir); err != nil || got != want || by != (process{80, 400}) {
		t.Errorf("opened %v by %v, %v; want the folder of process 80, %v", got, by, err, want)
	}
}

// enter opens a container's root once more, and says which of the folders that is.
func enter(t *testing.T, e *entrance, folders ...string) string {
	t.Helper()
	dir, err := e.open()
	if err != nil {
		return err.Error()
	}
	defer func() { _ = dir.Close() }()
	opened, err := dir.Stat()
	for _, folder := range folders {
		if info, statErr := os.Stat(folder); err == nil && statErr == nil && os.SameFile(opened, info) {
			return folder
		}
	}
	return fmt.Sprint("another one: ", err)
}

func TestARootIsEnteredAsBeforeWithoutALookAtAllProcesses(t *testing.T) {
	m := newMachine(t)
	first, other := m.folder(), m.folder()
	m.start(70, 500, first)
	m.join(place, "70\n")
	e := &entrance{processes: m.processes, cgroup: m.cgroup()}
	if got := enter(t, e, first); got != first {
		t.Fatal(got)
	}
	m.join(place, "")
	if got := enter(t, e, first); got != first {
		t.Errorf("where the list of processes cannot say anything: %s", got)
	}
	m.start(80, 600, first)
	m.join(place, "80\n70\n")
	m.start(70, 700, other) // another process of that number, which came later
	if got := enter(t, e, first, other); got != first || e.by != (process{80, 600}) {
		t.Errorf("after the process ended: %s by %v", got, e.by)
	}
	m.start(80, 600, other) // the same one, which left by chroot
	m.join(place, "80\n")
	if got := enter(t, e, first, other); got != other {
		t.Errorf("where there is no other way: %s", got)
	}
}

func TestWhatIsNoContainersRootIsNotOpened(t *testing.T) {
	tests := map[string]func(m machine) compile.Cgroup{
		"no process": func(m machine) compile.Cgroup { return m.cgroup() },
		"the OCI runtime, before it changed its root": func(m machine) compile.Cgroup {
			host, err := os.Readlink(m.root(1))
			m.must(err)
			m.start(70, 500, host)
			m.join(place, "70\n")
			return m.cgroup()
		},
		"another cgroup of the same path": func(m machine) compile.Cgroup {
			m.start(70, 500, m.folder())
			m.join(place, "70\n")
			c := m.cgroup()
			c.ID++
			return c
		},
		"only processes that ended": func(m machine) compile.Cgroup {
			m.join(place, "70\n71\n")
			m.start(71, 5, "")
			return m.cgroup()
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			if dir, _, err := m.openRoot(prepare(m)); !errors.Is(err, errNotInRoot) {
				t.Errorf("opened %v, %v", dir, err)
			}
		})
	}
}

func TestARealProcessHasAStartTime(t *testing.T) {
	started, err := processes{proc: hostProc}.started(os.Getpid())
	if err != nil || started == 0 {
		t.Errorf("started at %d, %v", started, err)
	}
}

func TestTheTrackerGivesContainersTheirRoots(t *testing.T) {
	m := newMachine(t)
	tracker := &Tracker{Hierarchy: m.hierarchy, proc: m.proc, live: map[string]Container{}, byCgroup: map[compile.CgroupID]known{}}
	seen := time.Now()
	tracker.live[idA] = Container{ID: idA, Cgroup: m.cgroup(), Seen: seen}
	if found, missing := tracker.findRoots(seen); found || !missing {
		t.Errorf("before the container has a process: found %v, missing %v", found, missing)
	}
	m.start(70, 500, m.folder())
	m.join(place, "70\n")
	if found, missing := tracker.findRoots(seen.Add(rootPatience + time.Second)); found || missing {
		t.Errorf("long after its start: found %v, missing %v", found, missing)
	}
	if found, missing := tracker.findRoots(seen); !found || missing {
		t.Errorf("once it has one: found %v, missing %v", found, missing)
	}
	c, _ := tracker.ByCgroup(m.cgroup().ID)
	if object, _ := c.Root.Resolve("/bin/sleep"); object != "/usr/bin/sleep" {
		t.Errorf("/bin/sleep is %s", object)
	}
	if object, _ := tracker.HostRoot().Resolve("/bin/sleep"); object != "/usr/bin/sleep" {
		t.Errorf("/bin/sleep of the host is %s", object)
	}
	if found, missing := tracker.findRoots(seen); found || missing {
		t.Errorf("then: found %v, missing %v", found, missing)
	}
	tracker.store(map[string]Container{}, nil, seen)
	if c, found := tracker.ByCgroup(m.cgroup().ID); !found || c.Root != nil {
		t.Errorf("a container that went: found %v, root %v", found, c.Root)
	}
}

// sleeper is the argument that makes this test program sleep in a root directory of its own.
const sleeper = "containers-test-sleeper"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == sleeper {
		time.Sleep(time.Minute)
		return
	}
	os.Exit(m.Run())
}

// TestTheRootOfARealProcess starts one in another root, and goes the way that an agent goes: through the kernel's /proc.
func TestTheRootOfARealProcess(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot needs root")
	}
	m := newMachine(t) // its process 1 is not the kernel's, which may be closed to us
	dir := m.folder()
	program, err := os.ReadFile(os.Args[0])
	m.must(err, os.WriteFile(filepath.Join(dir, "program"), program, 0o755))
	command := exec.CommandContext(t.Context(), "/program", sleeper)
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
	m.must(command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	id := fmt.Sprint(command.Process.Pid)
	m.must(os.Symlink(filepath.Join(hostProc, id), filepath.Join(m.proc, id)))
	m.join(place, id)

	tracker := &Tracker{Hierarchy: m.hierarchy, proc: m.proc}
	c := tracker.withRoot(Container{ID: idA, Cgroup: m.cgroup()})
	if c.Root == nil {
		_, _, err := m.openRoot(m.cgroup())
		t.Fatal("no root: ", err)
	}
	if object, _ := c.Root.Resolve("/bin/sleep"); object != "/usr/bin/sleep" {
		t.Errorf("/bin/sleep is %s", object)
	}
	c.Root.Close()
	m.must(command.Process.Kill())
	_ = command.Wait()
	if object, _ := c.Root.Resolve("/bin/other"); object != "/bin/other" {
		t.Errorf("after the process ended, /bin/other is %s", object)
	}
}
