// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// ownLabels are all labels that we ever set on a node.
func ownLabels() []string {
	return []string{
		v1.LabelPool, v1.LabelEnforcer, v1.LabelRuntime, v1.LabelSocket, v1.LabelNRISocket,
		v1.LabelBTF, v1.LabelSeccomp, v1.LabelAppArmorFS, v1.LabelSecurityFS,
	}
}

// label makes the node's labels follow the object. A node that is let go keeps them until its agent is off the kernel.
func (r *Reconciler) label(ctx context.Context, s *scope) error {
	desired := map[string]string{}
	if s.managed {
		desired = labelsOf(s.kan.Spec)
	} else if !s.released || s.kan == nil {
		// Without an object of ours the labels are not ours either: another installation may live by them.
		return nil
	}
	_, err := r.Writer.NodeLabels(ctx, s.node, ownLabels(), desired)
	return err
}

// labelsOf a node: only facts that are known become labels.
func labelsOf(spec v1.KubeArmorNodeSpec) map[string]string {
	out := map[string]string{}
	set := func(key, value string) {
		if value != "" && len(validation.IsValidLabelValue(value)) == 0 {
			out[key] = value
		}
	}
	set(v1.LabelPool, spec.Pool)
	if spec.Verdict != nil {
		set(v1.LabelEnforcer, string(spec.Verdict.Enforcer))
	}
	if f := spec.Facts; f != nil {
		set(v1.LabelRuntime, f.Runtime.Name)
		set(v1.LabelSocket, socketLabel(f.Runtime.Socket))
		set(v1.LabelNRISocket, socketLabel(f.Runtime.NRISocket))
		set(v1.LabelBTF, yesNo(f.BTF))
		set(v1.LabelSeccomp, yesNo(f.Seccomp))
		set(v1.LabelAppArmorFS, yesNo(f.AppArmorFS))
		set(v1.LabelSecurityFS, yesNo(f.SecurityFS))
	}
	return out
}

// socketLabel is the path without its first slash, the others written as underscores: a label's value has no slash.
func socketLabel(path string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "_")
}

func yesNo(f v1.Fact) string {
	switch f.State {
	case v1.FactYes:
		return "yes"
	case v1.FactNo:
		return "no"
	default:
		return ""
	}
}
