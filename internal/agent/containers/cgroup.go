// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Why the hierarchy of a node cannot be used.
var (
	ErrNotUnified = cgroup.ErrNotUnified
	ErrNested     = cgroup.ErrNested
)

// CgroupNotFoundError says that a container runs and its cgroup is nowhere.
type CgroupNotFoundError struct {
	Container string
	// Tried are the places, as paths in the hierarchy.
	Tried []string
}

func (e *CgroupNotFoundError) Error() string {
	return fmt.Sprintf("cgroup of container %s: not at %s, and no folder of the hierarchy is named after the container",
		e.Container, strings.Join(e.Tried, ", "))
}

// Hierarchy is the host's cgroup v2 hierarchy as this process sees it: the runtime's paths are relative to its top.
type Hierarchy struct{ top string }

// OpenHierarchy opens the hierarchy that is mounted at top, for instance /host/sys/fs/cgroup.
func OpenHierarchy(top string) (*Hierarchy, error) {
	if err := cgroup.Check(top); err != nil {
		return nil, err
	}
	return &Hierarchy{top: top}, nil
}

// Resolve finds a container's cgroup: where the runtime says that it is, else the folder that is named after the
// container. /proc/PID/cgroup is no help: in a cgroup namespace of its own, this process sees paths relative to itself.
// A container that does not run yet may not have its cgroup yet, so the whole hierarchy is not searched for it.
func (h *Hierarchy) Resolve(container, cgroupsPath string, running bool) (compile.Cgroup, error) {
	notFound := &CgroupNotFoundError{Container: container}
	if place, err := parseCgroupsPath(cgroupsPath); err != nil {
		notFound.Tried = append(notFound.Tried, err.Error())
	} else {
		found, err := h.lookup(place)
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return compile.Cgroup{}, err
		}
		notFound.Tried = append(notFound.Tried, place)
	}
	if running {
		if place, found := h.search(container); found {
			return h.lookup(place)
		}
	}
	return compile.Cgroup{}, notFound
}

func (h *Hierarchy) lookup(place string) (compile.Cgroup, error) { return cgroup.At(h.top, place) }

// search walks the hierarchy for a folder that is named after the container. CRI-O's monitor has one too, beside it.
func (h *Hierarchy) search(container string) (string, bool) {
	found := ""
	_ = filepath.WalkDir(h.top, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // a cgroup that went away during the walk is not the one looked for
		}
		if !isContainer(d.Name()) {
			return nil
		}
		if strings.Contains(d.Name(), container) {
			found = "/" + strings.TrimPrefix(strings.TrimPrefix(name, h.top), "/")
			return filepath.SkipAll
		}
		return filepath.SkipDir
	})
	return found, found != ""
}

// idLength is that of the ids of containerd, CRI-O and Docker: 256 bits in lower-case hexadecimal.
const idLength = 64

// isContainer says whether a folder's name carries a container's id: "<id>", "cri-containerd-<id>.scope", "crio-<id>".
func isContainer(name string) bool {
	name = strings.TrimSuffix(name, ".scope")
	if strings.Contains(name, "conmon") || len(name) < idLength {
		return false
	}
	return strings.Trim(name[len(name)-idLength:], "0123456789abcdef") == ""
}

// parseCgroupsPath turns the cgroupsPath of an OCI runtime spec into a path in the hierarchy: "/kubepods/pod1/id" of the
// cgroupfs driver is one already; "kubepods-pod1.slice:cri-containerd:id" is systemd's, whose slices nest by name.
func parseCgroupsPath(cgroupsPath string) (string, error) {
	if strings.HasPrefix(cgroupsPath, "/") {
		return path.Clean(cgroupsPath), nil
	}
	parts := strings.Split(cgroupsPath, ":")
	if len(parts) != 3 || parts[2] == "" {
		return "", fmt.Errorf("%q is neither an absolute cgroup path nor slice:prefix:name", cgroupsPath)
	}
	slice, err := expandSlice(parts[0])
	if err != nil {
		return "", err
	}
	unit := parts[2]
	if !strings.HasSuffix(unit, ".slice") {
		if parts[1] != "" {
			unit = parts[1] + "-" + unit
		}
		unit += ".scope"
	}
	return path.Join(slice, unit), nil
}

// expandSlice nests a slice below its parents: a-b.slice is a.slice/a-b.slice (systemd.slice(5)).
func expandSlice(slice string) (string, error) {
	if slice == "" {
		slice = "system.slice" // runc's default
	}
	name, isSlice := strings.CutSuffix(slice, ".slice")
	if !isSlice || strings.Contains(name, "/") {
		return "", fmt.Errorf("%q is not the name of a systemd slice", slice)
	}
	if name == "-" {
		return "/", nil
	}
	place, prefix := "/", ""
	for part := range strings.SplitSeq(name, "-") {
		if part == "" {
			return "", fmt.Errorf("%q is not the name of a systemd slice", slice)
		}
		place = path.Join(place, prefix+part+".slice")
		prefix += part + "-"
	}
	return place, nil
}
