// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
)

// TestEveryWayIsTriedByARealKernel: this machine's, without a core. What nobody denies ends as it does by itself, more than
// once, so that nothing is left behind.
func TestEveryWayIsTriedByARealKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mount namespaces need root, as in make test")
	}
	file := filepath.Join(t.TempDir(), "worker")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the worker: %v\n%s", err, out)
	}
	worker, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSide(&machine{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	f := fixed{links: generate.Links{"/bin": "/usr/bin"}, sources: []string{"/s/\xff\n/" + strings.Repeat("n", 255)}, bindFrom: "/etc/a", bindTo: "/m"}
	if err := s.do(func() (err error) { f.sources, err = f.build(worker); return err }); err != nil {
		t.Fatal(err)
	}
	p := newPlanner(f, f.links)
	for _, op := range tried() {
		for _, variant := range variants(op) {
			for _, terminal := range []bool{false, true} {
				op.Source, op.Terminal = f.sources[0], terminal
				tryAlone(t, s, p, op, variant)
			}
		}
	}
}

// tried has an operation of every kind.
func tried() []model.Operation {
	ops := []model.Operation{{Kind: model.Exec, Object: true}, {Kind: model.DNS, Name: "A.example."}}
	for _, path := range []string{"/bin/x", "/m/x/y", "/deep/\xff/" + strings.Repeat("n", 254)} {
		for _, kind := range []model.Kind{model.Exec, model.Read, model.Write, model.Create, model.Delete, model.Rename, model.Link, model.Chmod} {
			ops = append(ops, model.Operation{Kind: kind, Path: path, NewPath: path + "2", UID: 1, Owner: 1})
		}
	}
	for _, kind := range []model.Kind{model.Socket, model.Bind, model.Listen, model.Connect, model.Accept, model.Sendmsg} {
		ops = append(ops, model.Operation{Kind: kind, Family: unix.AF_UNIX, Type: unix.SOCK_STREAM}, model.Operation{Kind: kind, Family: unix.AF_INET, Type: unix.SOCK_DGRAM})
	}
	for name := range uses() {
		// Not every machine has these to give.
		if name != "sys_resource" && name != "sys_module" {
			ops = append(ops, model.Operation{Kind: model.Capable, Capability: name})
		}
	}
	return ops
}

func tryAlone(t *testing.T, s *side, p *planner, op model.Operation, variant string) {
	t.Helper()
	a, err := p.plan(op, variant)
	if err != nil {
		if variant != "pair" {
			t.Errorf("%s of %+v: %v", variant, op, err)
		}
		return
	}
	var errno syscall.Errno
	for _, step := range []func() error{
		func() error { return s.do(func() error { return prepare(a.places) }) },
		func() (err error) {
			errno, err = s.try(workerKey{a.op.Source, a.op.Terminal}, a.Attempt)
			return err
		},
		func() error { return s.do(func() error { return p.fixed.clear(a.places) }) },
	} {
		if err := step(); err != nil {
			t.Fatalf("%s of %+v: %v", variant, op, err)
		}
	}
	if want := natural(op, variant); want != nil && errno != *want {
		t.Errorf("%s of %+v: %s, want %s", variant, op, errnoName(errno), errnoName(*want))
	}
}

// natural end of an operation; nil where machines differ.
func natural(op model.Operation, variant string) *syscall.Errno {
	end := syscall.Errno(0)
	switch {
	case variant == "unlink a folder":
		end = unix.EISDIR
	case op.Kind == model.Chmod && (variant == "chown" || variant == "fchown"):
		end = unix.EPERM
	case variant == "without":
		end = uses()[op.Capability].errno
	case variant == "with" && (op.Capability == "sys_boot" || op.Capability == "setpcap"):
		end = unix.EINVAL
	case op.Kind == model.Listen, op.Kind == model.Accept, op.Kind == model.Connect, op.Kind == model.Sendmsg, op.Kind == model.DNS:
		return nil
	}
	return &end
}
