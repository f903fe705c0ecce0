// SPDX-License-Identifier: Apache-2.0

package node

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// KeepHeartbeatTime is the cache's transform of KubeArmorNodes: of the managed fields it keeps when the API server took the
// last heartbeat. Against a node's own clock, one that is minutes behind would look silent for ever, and one that is ahead
// alive long after its end.
func KeepHeartbeatTime(o any) (any, error) {
	kan, ok := o.(*v1.KubeArmorNode)
	if !ok {
		return o, nil
	}
	taken := heartbeatTaken(kan)
	kan.ManagedFields = nil
	if taken != nil {
		kan.ManagedFields = []metav1.ManagedFieldsEntry{{Time: taken, FieldsV1: metav1.NewFieldsV1(heartbeatField)}}
	}
	return kan, nil
}

const heartbeatField = `"f:heartbeat"`

// heartbeatTaken is when the API server took the last heartbeat, nil when the managed fields do not say.
func heartbeatTaken(kan *v1.KubeArmorNode) *metav1.Time {
	var last *metav1.Time
	for _, e := range kan.ManagedFields {
		if e.Time != nil && e.FieldsV1 != nil && strings.Contains(e.FieldsV1.GetRawString(), heartbeatField) &&
			(last == nil || last.Before(e.Time)) {
			last = e.Time
		}
	}
	return last
}

// sinceHeartbeat is zero without one. An object whose managed fields were cleared by hand has only the node's own time.
func (s *scope) sinceHeartbeat() time.Duration {
	if s.kan.Status.Heartbeat == nil {
		return 0
	}
	if taken := heartbeatTaken(s.kan); taken != nil {
		return s.now.Sub(taken.Time)
	}
	return s.now.Sub(s.kan.Status.Heartbeat.Time)
}
