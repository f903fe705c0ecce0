// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// PodTree is in the path of every Pod's cgroup: the kubelet's --cgroup-root may move it, but names it so.
const PodTree = "kubepods"

// MayHoldPods says whether Pods may appear in a folder of the hierarchy: it is in a Pods' tree, or at the two levels
// where such a tree may begin.
func MayHoldPods(top, name string) bool {
	relative := below(top, name)
	return strings.Contains(relative, PodTree) || strings.Count(relative, "/") == 0
}

func below(top, name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, top), "/")
}

// PodTrees are the topmost cgroups that hold Pods.
func PodTrees(top string) ([]compile.Cgroup, error) {
	var trees []compile.Cgroup
	err := filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // a cgroup that went away holds nothing
		}
		if !strings.Contains(d.Name(), PodTree) {
			if !MayHoldPods(top, name) {
				return filepath.SkipDir
			}
			return nil
		}
		tree, err := At(top, "/"+below(top, name))
		if err == nil {
			trees = append(trees, tree)
		}
		return filepath.SkipDir
	})
	return trees, err
}
