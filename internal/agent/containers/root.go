// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/root"
)

const (
	// hostProc is the host's /proc: the agent is in the host's PID namespace.
	hostProc = "/proc"
	// rootRetry is how soon a container without its root yet is looked at again, during rootPatience: the OCI runtime
	// takes it there before the container's first instruction. Later the resync does.
	rootRetry, rootPatience = 10 * time.Millisecond, 10 * time.Second
)

// errNotInRoot says that no process of a container is in the container's root: it has none, or it is the OCI runtime's,
// which still sees the host's.
var errNotInRoot = errors.New("no process of it is in its own root directory yet")

// processes finds the root directories of containers.
type processes struct {
	proc      string
	hierarchy *Hierarchy
}

// process is one that existed at one time; another one that got its number later started later.
type process struct {
	id      int
	started uint64
}

// entrance is how the root directory of a container was entered the last time: a way in that takes no look at all of the
// container's processes, of which it may have very many. It is not safe for concurrent use.
type entrance struct {
	processes
	cgroup compile.Cgroup

	by   process
	root folder
}

// open opens the directory. A container's process stays in its cgroup; one that has left the root by chroot is no way in.
func (e *entrance) open() (*os.File, error) {
	if dir, err := openFolder(e.processes.root(e.by.id)); err == nil {
		now, err := identify(dir)
		if started, startErr := e.started(e.by.id); err == nil && startErr == nil && now == e.root && started == e.by.started {
			return dir, nil
		}
		_ = dir.Close()
	}
	dir, by, err := e.openRoot(e.cgroup)
	if err != nil {
		return nil, err
	}
	e.by = by
	e.root, err = identify(dir)
	return dir, err
}

// openRoot opens the root directory of a container by way of its oldest process, which it names: younger ones may have
// left it by chroot. That it was a process of the container is checked after its root was opened.
func (p processes) openRoot(cgroup compile.Cgroup) (*os.File, process, error) {
	host, err := p.identity(1)
	if err != nil {
		return nil, process{}, err
	}
	for _, candidate := range p.of(cgroup) {
		dir, err := openFolder(p.root(candidate.id))
		if err != nil {
			continue // it ended, or is a zombie
		}
		if id, err := identify(dir); err == nil && id != host && slices.Contains(p.of(cgroup), candidate) {
			return dir, candidate, nil
		}
		_ = dir.Close()
	}
	return nil, process{}, fmt.Errorf("root of cgroup %s: %w", cgroup.Path, errNotInRoot)
}

func (p processes) root(id int) string { return filepath.Join(p.proc, strconv.Itoa(id), "root") }

// of lists the processes of a cgroup and of its descendants, the oldest first.
func (p processes) of(cgroup compile.Cgroup) []process {
	now, err := p.hierarchy.lookup(cgroup.Path)
	if err != nil || now.ID != cgroup.ID {
		return nil
	}
	var found []process
	_ = filepath.WalkDir(filepath.Join(p.hierarchy.top, cgroup.Path), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // a cgroup that went away has no processes
		}
		list, err := os.ReadFile(filepath.Join(name, "cgroup.procs"))
		if err != nil {
			return nil //nolint:nilerr // the same, or a threaded one, whose processes its parent lists
		}
		for _, word := range bytes.Fields(list) {
			// Number 0 is a process outside of our PID namespace.
			id, err := strconv.Atoi(string(word))
			if err != nil || id == 0 {
				continue
			}
			if started, err := p.started(id); err == nil {
				found = append(found, process{id, started})
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b process) int { return cmp.Or(cmp.Compare(a.started, b.started), cmp.Compare(a.id, b.id)) })
	return found
}

// started reads the 22nd field of /proc/PID/stat, in clock ticks since boot (proc_pid_stat(5)). The second one, the
// command's name in parentheses, may contain anything.
func (p processes) started(id int) (uint64, error) {
	stat, err := os.ReadFile(filepath.Join(p.proc, strconv.Itoa(id), "stat"))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("%s/%d/stat has no start time", p.proc, id)
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// folder identifies a folder, whatever way leads to it.
type folder struct{ device, inode uint64 }

func (p processes) identity(id int) (folder, error) {
	dir, err := openFolder(p.root(id))
	if err != nil {
		return folder{}, fmt.Errorf("look at the root of process %d: %w", id, err)
	}
	defer func() { _ = dir.Close() }()
	return identify(dir)
}

func identify(dir *os.File) (folder, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(dir.Fd()), &st)
	return folder{uint64(st.Dev), st.Ino}, err
}

func openFolder(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (t *Tracker) processes() processes {
	return processes{proc: cmp.Or(t.proc, hostProc), hierarchy: t.Hierarchy}
}

// withRoot adds the container's root directory, once it is there. It never changes: answers that it gave stay.
func (t *Tracker) withRoot(c Container) Container {
	if c.Root == nil {
		way := &entrance{processes: t.processes(), cgroup: c.Cgroup}
		r := root.New(way.open)
		if r.Check() == nil {
			c.Root = r
		}
	}
	return c
}

// findRoots looks again for the roots of containers that are starting, and says whether it found any, and whether some are
// still missing.
func (t *Tracker) findRoots(now time.Time) (found, missing bool) {
	list, _ := t.Snapshot()
	for _, c := range list {
		if c.Root != nil || now.Sub(c.Seen) > rootPatience {
			continue
		}
		if c = t.withRoot(c); c.Root == nil {
			missing = true
			continue
		}
		t.mu.Lock()
		if _, live := t.live[c.ID]; live {
			t.live[c.ID], t.byCgroup[c.Cgroup.ID] = c, known{container: c}
			found = true
		}
		t.mu.Unlock()
	}
	return found, missing
}

// rootsMoved says whether paths may mean something else in a container than they did: the kubelet has updated a volume.
func (t *Tracker) rootsMoved() bool {
	list, _ := t.Snapshot()
	return slices.ContainsFunc(list, func(c Container) bool { return c.Root != nil && c.Root.Moved() })
}

// HostRoot is the node's own root directory.
func (t *Tracker) HostRoot() *root.Root {
	t.hostOnce.Do(func() { t.host = root.Directory(t.processes().root(1)) })
	return t.host
}
