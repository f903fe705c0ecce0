// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/host"
)

// Module is one loadable file.
type Module struct {
	// Name as lsmod has it.
	Name string
	// Path below the modules' folder, such as kernel/drivers/virtio/virtio.ko.xz .
	Path string
}

// LoadOrder lists the wanted modules and all that they need, what is needed first. A name without a module is built into this
// kernel, or the kernel does not have it; the second is up to the caller to find out, since only some kernels list theirs.
func (k Kernel) LoadOrder(wanted ...string) ([]Module, error) {
	text, err := os.ReadFile(filepath.Join(k.ModulesDir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("read module dependencies: %w", err)
	}
	return loadOrder(string(text), wanted), nil
}

func loadOrder(dep string, wanted []string) []Module {
	needs := map[string][]string{}
	files := map[string]string{}
	for line := range strings.Lines(dep) {
		file, rest, ok := strings.Cut(line, ":")
		if ok {
			needs[file] = strings.Fields(rest)
			files[moduleName(file)] = file
		}
	}
	var order []Module
	done := map[string]bool{"": true}
	var visit func(file string)
	visit = func(file string) {
		if done[file] {
			return
		}
		done[file] = true
		for _, need := range needs[file] {
			visit(need)
		}
		order = append(order, Module{Name: moduleName(file), Path: file})
	}
	for _, name := range wanted {
		visit(files[strings.ReplaceAll(name, "-", "_")])
	}
	return order
}

// moduleName of a file: the kernel knows no hyphens.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// Read returns a module as the kernel loads it, uncompressed.
func (k Kernel) Read(ctx context.Context, module Module) ([]byte, error) {
	file := filepath.Join(k.ModulesDir, module.Path)
	if strings.HasSuffix(file, ".xz") {
		return host.Run(ctx, "xz", "-dc", file)
	}
	return os.ReadFile(file)
}
