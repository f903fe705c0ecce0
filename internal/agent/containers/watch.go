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

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

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
	if strings.Contains(event.Name, cgroup.PodTree) {
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

func (h *Hierarchy) watched(name string) bool { return cgroup.MayHoldPods(h.top, name) }

// podTrees are the topmost cgroups that hold Pods.
func (h *Hierarchy) podTrees() ([]compile.Cgroup, error) { return cgroup.PodTrees(h.top) }
