// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

const (
	idA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestParseCgroupsPath(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"containerd with the cgroupfs driver": {"/kubepods/besteffort/pod1234/" + idA, "/kubepods/besteffort/pod1234/" + idA},
		"containerd with the systemd driver": {
			"kubepods-burstable-pod8d5c_1.slice:cri-containerd:" + idA,
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod8d5c_1.slice/cri-containerd-" + idA + ".scope",
		},
		"CRI-O with the systemd driver": {
			"kubepods-pod8d5c.slice:crio:" + idA,
			"/kubepods.slice/kubepods-pod8d5c.slice/crio-" + idA + ".scope",
		},
		"kind, whose kubelet has a root of its own": {
			"kubelet-kubepods-pod1.slice:cri-containerd:" + idA,
			"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice/cri-containerd-" + idA + ".scope",
		},
		"the root slice":      {"-.slice:crio:x", "/crio-x.scope"},
		"no slice named":      {":docker:x", "/system.slice/docker-x.scope"},
		"no prefix":           {"a.slice::x", "/a.slice/x.scope"},
		"a slice as the unit": {"a.slice:p:a-b.slice", "/a.slice/a-b.slice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseCgroupsPath(tt.in)
			if err != nil || got != tt.want {
				t.Errorf("parseCgroupsPath(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		})
	}
	for _, bad := range []string{"", "kubepods/x", "a:b", "a.slice:b:", "a/b.slice:c:d", "a--b.slice:c:d", "a:b:c"} {
		if got, err := parseCgroupsPath(bad); err == nil {
			t.Errorf("parseCgroupsPath(%q) = %q, want an error", bad, got)
		}
	}
}

func TestIsContainer(t *testing.T) {
	for name, want := range map[string]bool{
		idA: true, "cri-containerd-" + idA + ".scope": true, "crio-" + idA + ".scope": true, "docker-" + idA + ".scope": true,
		"crio-conmon-" + idA + ".scope": false, "kubepods-pod1.slice": false, strings.Repeat("g", 64): false, "init.scope": false,
	} {
		if isContainer(name) != want {
			t.Errorf("isContainer(%q) is not %v", name, want)
		}
	}
}

// tree makes folders and gives a hierarchy of them: what is not the kernel's is made like it.
func tree(t *testing.T, folders ...string) *Hierarchy {
	top := t.TempDir()
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(top, f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &Hierarchy{top: top}
}

func (h *Hierarchy) inode(t *testing.T, place string) compile.CgroupID {
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(h.top, place), &st); err != nil {
		t.Fatal(err)
	}
	return compile.CgroupID(st.Ino)
}

func TestResolve(t *testing.T) {
	scope := "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + idA + ".scope"
	monitor := "/kubepods.slice/kubepods-pod1.slice/crio-conmon-" + idB + ".scope"
	moved := "/custom/kubepods/pod2/" + idB
	h := tree(t, scope, monitor, moved)

	got, err := h.Resolve(idA, "kubepods-pod1.slice:cri-containerd:"+idA, true)
	if want := (compile.Cgroup{ID: h.inode(t, scope), Level: 3, Path: scope}); err != nil || got != want {
		t.Errorf("by the runtime's path: %+v, %v; want %+v", got, err, want)
	}
	for _, wrong := range []string{"", "kubepods-pod2.slice:cri-containerd:" + idB} {
		got, err = h.Resolve(idB, wrong, true)
		if want := (compile.Cgroup{ID: h.inode(t, moved), Level: 4, Path: moved}); err != nil || got != want {
			t.Errorf("by its name, with %q: %+v, %v; want %+v", wrong, got, err, want)
		}
	}
	_, err = h.Resolve(idB, "/nowhere", false)
	var lost *CgroupNotFoundError
	if !errors.As(err, &lost) || lost.Tried[0] != "/nowhere" {
		t.Errorf("a container that does not run yet: %v", err)
	}
	if _, err = h.Resolve(strings.Repeat("c", 64), "/nowhere", true); !errors.As(err, &lost) || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("a container that is nowhere: %v", err)
	}
}

func TestOpenHierarchyRefusesWhatIsNone(t *testing.T) {
	if _, err := OpenHierarchy(t.TempDir()); !errors.Is(err, ErrNotUnified) {
		t.Errorf("error = %v, want ErrNotUnified", err)
	}
	if _, err := OpenHierarchy("/does/not/exist"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want ErrNotExist", err)
	}
}

func TestPodTreesAreTheTopmost(t *testing.T) {
	h := tree(t, "/kubepods.slice/kubepods-burstable.slice", "/system.slice/x.service/kubepods", "/kubelet.slice/kubelet-kubepods.slice/a")
	trees, err := h.podTrees()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range trees {
		got = append(got, c.Path)
	}
	if strings.Join(got, " ") != "/kubelet.slice/kubelet-kubepods.slice /kubepods.slice" {
		t.Errorf("trees = %v", got)
	}
}

func TestWatchSeesContainersOfPodsThatCameLater(t *testing.T) {
	h := tree(t, "/kubepods.slice", "/system.slice/ssh.service")
	hints := make(chan struct{}, 100)
	go func() {
		if err := h.watch(t.Context(), func() { hints <- struct{}{} }); err != nil {
			t.Error(err)
		}
	}()
	await := func(what string, wanted bool) {
		t.Helper()
		select {
		case <-hints:
			if !wanted {
				t.Errorf("a hint for %s", what)
			}
		case <-time.After(map[bool]time.Duration{true: 5 * time.Second, false: 200 * time.Millisecond}[wanted]):
			if wanted {
				t.Errorf("no hint for %s", what)
			}
		}
		for len(hints) > 0 {
			<-hints
		}
	}
	mkdir := func(place string) {
		if err := os.MkdirAll(filepath.Join(h.top, place), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	await("the beginning", true)
	pod := "/kubepods.slice/kubepods-pod9.slice"
	mkdir(pod)
	await("a Pod", true)
	mkdir(pod + "/cri-containerd-" + idA + ".scope")
	await("a container", true)
	mkdir(pod + "/cri-containerd-" + idA + ".scope/nested")
	await("what a container makes inside of itself", false)
	mkdir("/system.slice/other.service")
	await("a service of the host", false)
	if err := os.RemoveAll(filepath.Join(h.top, pod, "cri-containerd-"+idA+".scope")); err != nil {
		t.Fatal(err)
	}
	await("a container that went", true)
	mkdir("/kubepods/pod1/" + idB)
	await("a tree of Pods that came later", true)
}
