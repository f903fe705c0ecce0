// SPDX-License-Identifier: Apache-2.0

// Package cgroup knows the kernel's unified cgroup hierarchy: which cgroup is where in it, and how to make one for a
// command and to take it away again with all that runs in it.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Top is where the hierarchy is mounted on the host itself.
const Top = "/sys/fs/cgroup"

// ErrNotUnified says that the node has no cgroup v2 hierarchy, by which containers are told apart.
var ErrNotUnified = errors.New("the node has no unified cgroup hierarchy (cgroup v2)")

// ErrNested says that the node is itself a container: what it sees as the hierarchy's top lies somewhere below the
// kernel's, so that the level of a cgroup, by which the kernel finds it, cannot be told.
var ErrNested = errors.New("the node is a container itself: its cgroup hierarchy is not the kernel's whole one")

// Root is the inode number, and so the id, of the kernel's own top of the hierarchy.
const Root = 1

// Check says why the whole hierarchy of the kernel is not mounted at top.
func Check(top string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(top, &st); err != nil {
		return fmt.Errorf("open cgroup hierarchy %s: %w", top, err)
	}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		return fmt.Errorf("open cgroup hierarchy %s: %w", top, ErrNotUnified)
	}
	root, err := At(top, "/")
	if err != nil {
		return fmt.Errorf("open cgroup hierarchy %s: %w", top, err)
	}
	if root.ID != Root {
		return fmt.Errorf("open cgroup hierarchy %s: %w", top, ErrNested)
	}
	return nil
}

// At gives the id of the cgroup at place, which is its folder's inode number, and its level.
func At(top, place string) (compile.Cgroup, error) {
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(top, place), &st); err != nil {
		return compile.Cgroup{}, fmt.Errorf("cgroup %s: %w", place, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return compile.Cgroup{}, fmt.Errorf("cgroup %s: is not a folder", place)
	}
	return compile.Cgroup{ID: compile.CgroupID(st.Ino), Level: level(place), Path: place}, nil
}

func level(place string) int {
	if place = strings.Trim(path.Clean(place), "/"); place == "" {
		return 0
	}
	return strings.Count(place, "/") + 1
}

// Own is the place of this process in the hierarchy, as the kernel tells it to this process.
func Own() (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("read own cgroup: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if place, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			return place, nil
		}
	}
	return "", fmt.Errorf("read own cgroup: %w", ErrNotUnified)
}
