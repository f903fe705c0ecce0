// SPDX-License-Identifier: Apache-2.0

// Package binaries builds the Kubernetes programs of the testbed from the Go module test/testbed/kube.
package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// Version of Kubernetes that test/testbed/kube/go.mod requires; the linker stamps it into every program.
const Version = "v1.37.2"

// Selection names the programs that a caller needs.
type Selection string

// The selections.
const (
	// EnvTest is what controller-runtime's envtest starts.
	EnvTest Selection = "envtest"
	// HostFleet is a control plane and the kubelet of this machine's architecture.
	HostFleet Selection = "host"
	// All is a control plane and the kubelets of amd64 and arm64.
	All Selection = "all"
)

// program is one main package of the module, built for one architecture.
type program struct {
	name, pkg, arch string
}

const kubeCmd = "k8s.io/kubernetes/cmd/"

// Programs of a selection, in the order in which they are built.
func (s Selection) programs() ([]program, error) {
	host := runtime.GOARCH
	list := []program{
		{"etcd", "go.etcd.io/etcd/server/v3", host},
		{"kube-apiserver", kubeCmd + "kube-apiserver", host},
		{"kubectl", kubeCmd + "kubectl", host},
	}
	switch s {
	case EnvTest:
		return list, nil
	case HostFleet, All:
		list = append(list,
			program{"kube-controller-manager", kubeCmd + "kube-controller-manager", host},
			program{"kube-scheduler", kubeCmd + "kube-scheduler", host},
			program{"kubelet", kubeCmd + "kubelet", host})
	default:
		return nil, fmt.Errorf("selection %q is unknown: use %s, %s or %s", s, EnvTest, HostFleet, All)
	}
	if s == All {
		for _, arch := range []string{"amd64", "arm64"} {
			if arch != host {
				list = append(list, program{"kubelet", kubeCmd + "kubelet", arch})
			}
		}
	}
	return list, nil
}

// Dir holds the programs of one architecture; on the host's it serves as KUBEBUILDER_ASSETS.
func Dir(root, arch string) string {
	return filepath.Join(root, ".cache", "kube", arch)
}

// Build makes sure that the selected programs are there and of the module's present state.
func Build(ctx context.Context, log *progress.Log, root string, selection Selection) error {
	wanted, err := selection.programs()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(root, ".cache", "kube"))
	if err != nil {
		return err
	}
	defer unlock()
	want, err := fingerprint(ctx, root)
	if err != nil {
		return err
	}
	for _, batch := range batches(wanted) {
		if err := build(ctx, log, root, want, batch); err != nil {
			return err
		}
	}
	return nil
}

// batches groups programs so that each group is one `go build` and shares its packages. The directory of etcd's
// package is named server, so its output needs a name of its own.
func batches(list []program) [][]program {
	var out [][]program
	for _, p := range list {
		i := slices.IndexFunc(out, func(b []program) bool {
			return b[0].arch == p.arch && (b[0].name == "etcd") == (p.name == "etcd")
		})
		if i < 0 {
			out = append(out, []program{p})
			continue
		}
		out[i] = append(out[i], p)
	}
	return out
}

func build(ctx context.Context, log *progress.Log, root, want string, batch []program) error {
	arch := batch[0].arch
	stamps, err := readStamps(Dir(root, arch))
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(batch), func(p program) bool {
		_, err := os.Stat(filepath.Join(Dir(root, arch), p.name))
		return err == nil && stamps[p.name] == want
	})
	if len(missing) == 0 {
		log.Printf("kube %s: %s up to date", arch, names(batch))
		return nil
	}
	if err := compile(ctx, log, root, missing); err != nil {
		return fmt.Errorf("build %s for %s: %w", names(missing), arch, err)
	}
	for _, p := range missing {
		stamps[p.name] = want
	}
	return writeStamps(Dir(root, arch), stamps)
}

func names(list []program) string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.name
	}
	return strings.Join(out, ", ")
}

// lock keeps two commands from building into the same folder at once.
func lock(dir string) (func(), error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
	}
	return func() { file.Close() }, nil
}
