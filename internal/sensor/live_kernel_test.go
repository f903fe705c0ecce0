// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func TestNothingIsLeftAfterDetachAll(t *testing.T) {
	requireMode(t, ModeEnforce)
	before := kernelObjects(t)
	core := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	if err := core.Apply(t.Context(), compile.Set{Generation: 1}); err != nil {
		t.Fatal(err)
	}
	core.Close()
	if len(newObjects(t, before)) < 10 {
		t.Fatal("pinned objects are not there, so this test would prove nothing")
	}
	if err := DetachAll(bpffs); err != nil {
		t.Fatal(err)
	}
	// The kernel frees objects a little later.
	var left []string
	for range 100 {
		if left = newObjects(t, before); len(left) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(left) != 0 {
		t.Errorf("left in the kernel: %q", left)
	}
	if entries, err := os.ReadDir(bpffs); err != nil || len(entries) != 0 {
		t.Errorf("below the bpffs: %v %v", entries, err)
	}
	if err := DetachAll(bpffs); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// kernelObjects are all programs, maps and links.
func kernelObjects(t *testing.T) map[string]bool {
	t.Helper()
	objects := map[string]bool{}
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		objects[fmt.Sprintf("program %d", id)] = true
	}
	for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
		objects[fmt.Sprintf("map %d", id)] = true
	}
	links := new(link.Iterator)
	defer links.Close()
	for links.Next() {
		objects[fmt.Sprintf("link %d", links.ID)] = true
	}
	return objects
}

func newObjects(t *testing.T, before map[string]bool) []string {
	t.Helper()
	var added []string
	for object := range kernelObjects(t) {
		if !before[object] {
			added = append(added, object+" "+mapName(object))
		}
	}
	return added
}

// mapName makes a failure readable.
func mapName(object string) string {
	var id ebpf.MapID
	if _, err := fmt.Sscanf(object, "map %d", &id); err != nil {
		return ""
	}
	m, err := ebpf.NewMapFromID(id)
	if err != nil {
		return err.Error()
	}
	defer m.Close()
	return m.String()
}

// TestNoVerdictIsMixedUp: many tasks on few CPUs, switched at any moment where the kernel can.
func TestNoVerdictIsMixedUp(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	if err := os.WriteFile("/sys/kernel/debug/sched/preempt", []byte("full"), 0); err == nil {
		t.Log("the kernel preempts fully")
	}
	w := r.workload("confined")
	allowed := touch(t, filepath.Join(r.dir, strings.Repeat("deep/", 40), "file"))
	secret := touch(t, filepath.Join(r.dir, strings.Repeat("deeq/", 40), "file"))
	r.confine(map[*workload][]compile.Rule{w: {
		block(files, recursive, filepath.Join(r.dir, "deeq")+"/"),
		rule(compile.ActionAudit, files, recursive, filepath.Join(r.dir, "deep/deep")+"/"),
	}})
	if got := w.do("mix", allowed, secret); got != 0 {
		t.Error("a wrong verdict")
	}
	for _, e := range r.take() {
		if want := map[bool]string{true: secret, false: allowed}[e.Denied]; e.Resource != want {
			t.Errorf("event of %q, denied %v", e.Resource, e.Denied)
			break
		}
	}
	t.Log(drops(t, r.core))
}

// TestTheCanaryIsHonest about kernels that cannot enforce; test/vm boots some.
func TestTheCanaryIsHonest(t *testing.T) {
	want := os.Getenv("SENSOR_TESTS_CANARY")
	if want == "" {
		t.Skip("needs a kernel that cannot enforce: test/vm boots some and says what to expect")
	}
	err := Canary(t.Context(), ModeEnforce, t.TempDir())
	var refusal *CanaryError
	if !errors.As(err, &refusal) || refusal.Reason != want {
		t.Errorf("got %v, want reason %s", err, want)
	}
	t.Log(err)
	if err := Canary(t.Context(), ModeObserve, t.TempDir()); err != nil {
		t.Errorf("observe mode: %v", err)
	}
}
