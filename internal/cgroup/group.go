// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

const (
	// dying is how long processes may take to die of SIGKILL: one that writes to a slow disk dies after that.
	dying = 10 * time.Second
	// glance is how often it is looked whether they are dead.
	glance = 2 * time.Millisecond
)

// Group is a cgroup that this process made, with an open folder of it to start processes in.
type Group struct {
	compile.Cgroup
	path string
	dir  *os.File
}

// Make makes a cgroup below the place of this process, so that the limits that hold for it hold for the new one too;
// where the kernel permits none there, below the top. It is named prefix-PID; empty ones that processes left that were
// killed are removed.
func Make(top, prefix string) (*Group, error) {
	own, err := Own()
	if err != nil {
		return nil, err
	}
	places := []string{own}
	if own != "/" {
		places = append(places, "/")
	}
	var problems []error
	for _, place := range places {
		sweep(filepath.Join(top, place), prefix+"-")
		g, err := makeAt(top, filepath.Join(place, fmt.Sprintf("%s-%d", prefix, os.Getpid())))
		if err == nil {
			return g, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

// sweep removes what is left of processes that are gone. A cgroup in which something runs stays.
func sweep(folder, prefix string) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		id, found := strings.CutPrefix(e.Name(), prefix)
		if _, err := strconv.Atoi(id); !found || err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join("/proc", id)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		left := &Group{path: filepath.Join(folder, e.Name())}
		if populated, err := left.populated(); err == nil && !populated {
			_ = left.Remove()
		}
	}
}

func makeAt(top, place string) (*Group, error) {
	g := &Group{path: filepath.Join(top, place)}
	if err := os.Mkdir(g.path, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	err := g.usable()
	if err == nil {
		g.Cgroup, err = At(top, place)
	}
	if err == nil {
		g.dir, err = os.Open(g.path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make cgroup: %w", err), os.Remove(g.path))
	}
	return g, nil
}

// usable says why no process can be put into it: below a threaded cgroup, a new one takes none ("domain invalid").
func (g *Group) usable() error {
	kind, err := os.ReadFile(filepath.Join(g.path, "cgroup.type"))
	if err != nil {
		return err
	}
	if kind := strings.TrimSpace(string(kind)); kind != "domain" {
		return fmt.Errorf("%s is of type %q, which takes no process", g.path, kind)
	}
	return nil
}

// FD is the open folder, as clone3's CLONE_INTO_CGROUP wants it.
func (g *Group) FD() int { return int(g.dir.Fd()) }

// Kill ends every process in the cgroup and its descendants, and waits until they are dead.
func (g *Group) Kill() error {
	for end := time.Now().Add(dying); ; time.Sleep(glance) {
		populated, err := g.populated()
		switch {
		case errors.Is(err, fs.ErrNotExist) || (err == nil && !populated):
			return nil
		case err != nil:
			return fmt.Errorf("kill what runs in cgroup %s: %w", g.Path, err)
		case time.Now().After(end):
			return fmt.Errorf("kill what runs in cgroup %s: processes are still there after %s", g.Path, dying)
		}
		if err := g.killOnce(); err != nil {
			return fmt.Errorf("kill what runs in cgroup %s: %w", g.Path, err)
		}
	}
}

// killOnce kills at one go since 5.14 (661ee6280931), and before that by the list of processes, stopped so that they do
// not fork away from it.
func (g *Group) killOnce() error {
	err := write(g.path, "cgroup.kill", "1")
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := write(g.path, "cgroup.freeze", "1"); err != nil {
		return err
	}
	defer func() { _ = write(g.path, "cgroup.freeze", "0") }()
	for _, folder := range g.tree() {
		list, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
		if err != nil {
			continue // it went away, or is threaded, and its parent lists its processes
		}
		for _, word := range bytes.Fields(list) {
			if id, err := strconv.Atoi(string(word)); err == nil && id > 0 {
				_ = unix.Kill(id, unix.SIGKILL)
			}
		}
	}
	return nil
}

func write(folder, name, text string) error {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// populated says whether the cgroup or a descendant has a process that is not dead.
func (g *Group) populated() (bool, error) {
	events, err := os.ReadFile(filepath.Join(g.path, "cgroup.events"))
	return bytes.Contains(events, []byte("populated 1")), err
}

// tree lists the folders of the cgroup and its descendants, parents first.
func (g *Group) tree() []string {
	var folders []string
	_ = filepath.WalkDir(g.path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, name)
		}
		return nil
	})
	return folders
}

// Remove kills what is left in the cgroup and its descendants, and removes them.
func (g *Group) Remove() error {
	err := g.Kill()
	folders := g.tree()
	slices.Reverse(folders)
	for _, folder := range folders {
		err = errors.Join(err, remove(folder))
	}
	if g.dir != nil {
		err = errors.Join(err, g.dir.Close())
		g.dir = nil
	}
	return err
}

// remove waits a moment for dead processes to leave.
func remove(folder string) error {
	for end := time.Now().Add(dying); ; time.Sleep(glance) {
		err := unix.Rmdir(folder)
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, unix.EBUSY) || time.Now().After(end):
			return fmt.Errorf("remove cgroup %s: %w", folder, err)
		}
	}
}
