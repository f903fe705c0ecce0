// SPDX-License-Identifier: Apache-2.0

package example

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// Object is what an operation is on, where the path has symlinks on the way: what makes, moves or deletes a name is on
// the name.
func Object(kind model.Kind, path string, root model.Resolver) string {
	at := strings.LastIndexByte(path, '/')
	switch {
	case root == nil || at < 0 || path == "/":
		return path
	case kind != model.Create && kind != model.Delete && kind != model.Rename && kind != model.Link:
		return root.Resolve(path)
	case at == 0:
		return path
	default:
		return strings.TrimSuffix(root.Resolve(path[:at]), "/") + path[at:]
	}
}
