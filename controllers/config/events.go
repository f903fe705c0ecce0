// SPDX-License-Identifier: Apache-2.0

package config

import (
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

// announce tells of the transitions of the conditions that a person waits for or must act on.
func (r *Reconciler) announce(s *scope) {
	for _, kind := range []string{v1.ConfigReady, v1.ConfigEnforcing, v1.ConfigRelayReady, v1.ConfigCertificatesValid, v1.ConfigConflict} {
		was, is := conditions.Get(s.before.Status.Conditions, kind), conditions.Get(s.config.Status.Conditions, kind)
		if was.Status == is.Status && was.Reason == is.Reason || is.Reason == v1.ReasonOnlyConfig {
			continue
		}
		r.Recorder.Eventf(s.config, nil, eventType(kind, is), is.Reason, kind, "%s is %s: %s", kind, is.Status, is.Message)
	}
}

// eventType warns of what does not get better by itself.
func eventType(kind string, v conditions.Verdict) string {
	switch v.Reason {
	case v1.ReasonDetectionFailed, v1.ReasonApplyFailed, v1.ReasonNodesNotEnforcing, v1.ReasonOlderConfigExists, v1.ReasonFieldInvalid, v1.ReasonRelayNotReady:
		return corev1.EventTypeWarning
	}
	if kind == v1.ConfigConflict && v.Status == "True" {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}
