// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// podTree is in the path of every Pod's cgroup: the kubelet's --cgroup-root may move it, but names it so.
const podTree = "kubepods"

// watch calls hint when a cgroup of a Pod is made or goes. The OCI runtime makes a container's cgroup before its first
// process runs, so this is earlier than any event of CRI, and it works with runtimes that have none.
func (h *Hierarchy) watch(ctx context.Context, hint func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch cgroups: %w", err)
	}
	defer func() { _ = w.Close() }()
	if err := h.add(w, h.top); err != nil {
		return fmt.Errorf("watch cgroups: %w", err)
	}
	hint()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch cgroups: %w", err)
			}
			hint()
		case event := <-w.Events:
			if err := h.seen(w, event, hint); err != nil {
				return fmt.Errorf("watch cgroups: %w", err)
			}
		}
	}
}

func (h *Hierarchy) seen(w *fsnotify.Watcher, event fsnotify.Event, hint func()) error {
	if !event.Has(fsnotify.Create) && !event.Has(fsnotify.Remove) || !h.watched(event.Name) {
		return nil
	}
	if event.Has(fsnotify.Create) {
		if err := h.add(w, event.Name); err != nil {
			return err
		}
	}
	if strings.Contains(event.Name, podTree) {
		hint()
	}
	return nil
}

// add watches a folder and what is in it, as far as containers may appear there: the Pods' tree down to the Pods, and
// outside of it two levels, where that tree may begin.
func (h *Hierarchy) add(w *fsnotify.Watcher, top string) error {
	return filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // it went away, and its parent's watch says so
		}
		if !h.watched(name) || isContainer(d.Name()) {
			return filepath.SkipDir
		}
		if err := w.Add(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

func (h *Hierarchy) watched(name string) bool {
	relative := strings.TrimPrefix(strings.TrimPrefix(name, h.top), "/")
	if strings.Contains(relative, podTree) {
		return true
	}
	return strings.Count(relative, "/") == 0
}

// podTrees are the topmost cgroups that hold Pods.
func (h *Hierarchy) podTrees() ([]compile.Cgroup, error) {
	var trees []compile.Cgroup
	err := filepath.WalkDir(h.top, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // a cgroup that went away holds nothing
		}
		if !strings.Contains(d.Name(), podTree) {
			if !h.watched(name) {
				return filepath.SkipDir
			}
			return nil
		}
		tree, err := h.lookup("/" + strings.TrimPrefix(strings.TrimPrefix(name, h.top), "/"))
		if err == nil {
			trees = append(trees, tree)
		}
		return filepath.SkipDir
	})
	return trees, err
}
