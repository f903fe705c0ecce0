// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// LabelOwner is the field owner of our labels on nodes, apart from Owner: a node is not ours.
const LabelOwner = client.FieldOwner("kubearmor-operator-labels")

// NodeLabels gives a node exactly the desired ones among the labels named in all, and leaves every other alone. It says
// whether it wrote.
func (w *Writer) NodeLabels(ctx context.Context, node *corev1.Node, all []string, desired map[string]string) (bool, error) {
	missing, stale := false, map[string]any{}
	for _, key := range all {
		want, wanted := desired[key]
		have, exists := node.Labels[key]
		switch {
		case wanted && (!exists || have != want):
			missing = true
		case !wanted && exists:
			stale[key] = nil
		}
	}
	if missing {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		u.SetAPIVersion("v1")
		u.SetKind("Node")
		u.SetName(node.Name)
		// An apply would create a node that has gone meanwhile; with its UID the API server refuses instead.
		u.SetUID(node.UID)
		u.SetLabels(desired)
		if err := w.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), LabelOwner, client.ForceOwnership); err != nil {
			return false, fmt.Errorf("label node %s: %w", node.Name, err)
		}
	}
	// An apply takes away only what it set itself; a label may be left from another installation.
	if len(stale) == 0 {
		return missing, nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": stale}})
	if err != nil {
		return missing, err
	}
	target := &corev1.Node{}
	target.Name = node.Name
	if err := client.IgnoreNotFound(w.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), LabelOwner)); err != nil {
		return missing, fmt.Errorf("remove labels of node %s: %w", node.Name, err)
	}
	return true, nil
}
