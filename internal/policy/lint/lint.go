// SPDX-License-Identifier: Apache-2.0

// Package lint finds what is wrong with a policy beyond what its schema can say. It is pure.
package lint

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// Validate says why no rule of a policy can be used: its selector cannot be read. The error names the field, the reason
// and the remedy. A single rule that cannot be enforced is no error: the nodes report it, and the others hold.
func Validate(policy runtime.Object) error {
	var err error
	switch p := policy.(type) {
	case *securityv1.KubeArmorPolicy:
		_, err = selector.ForPolicy(p)
	case *securityv1.KubeArmorClusterPolicy:
		_, err = selector.ForClusterPolicy(p)
	case *securityv1.KubeArmorHostPolicy:
		if len(p.Spec.NodeSelector.MatchLabels) == 0 {
			err = fmt.Errorf("spec.nodeSelector.matchLabels: names no label; use kubernetes.io/os: linux for every node")
		}
	default:
		err = fmt.Errorf("%T is not a policy", policy)
	}
	return err
}
