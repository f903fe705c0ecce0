// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

var errNoCgroup2 = errors.New("this process is in no visible cgroup v2 hierarchy")

// ownCgroup is the id of this process's cgroup. Its level cannot be known from inside a cgroup namespace.
func ownCgroup() (compile.CgroupID, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, fmt.Errorf("read own cgroup: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return 0, fmt.Errorf("read mounts: %w", err)
	}
	for _, dir := range cgroupDirs(string(own), string(mounts)) {
		var st unix.Stat_t
		if unix.Stat(dir, &st) == nil && st.Ino != 0 {
			return compile.CgroupID(st.Ino), nil
		}
	}
	return 0, errNoCgroup2
}

// cgroupDirs are the folders that may be the process's own cgroup, given /proc/self/cgroup and /proc/self/mountinfo.
func cgroupDirs(own, mounts string) []string {
	path := ""
	for line := range strings.Lines(own) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = p
		}
	}
	if path == "" {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(mounts) {
		left, right, _ := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if len(fields) < 5 || !strings.HasPrefix(right, "cgroup2 ") {
			continue
		}
		root, point := fields[3], fields[4]
		below, err := filepath.Rel(root, path)
		// Roots such as /../.. are outside of this process's cgroup namespace.
		if err != nil || strings.Contains(root, "/..") || below == ".." || strings.HasPrefix(below, "../") {
			continue
		}
		dirs = append(dirs, filepath.Join(point, below))
	}
	return dirs
}
