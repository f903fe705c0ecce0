// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// Phases for older clients.
const (
	phaseRunning  = "Running"
	phasePending  = "Pending"
	phaseDeleting = "Deleting"
	phaseError    = "Error"
)

// conclude draws the whole status from the scope and from how the phases ended.
func (r *Reconciler) conclude(s *scope, err error) {
	s.config.Status.ObservedGeneration = s.config.Generation
	switch {
	case s.isConflict():
		s.concludeConflict()
	case s.config.DeletionTimestamp != nil:
		s.concludeRemoval(err)
	default:
		s.concludeFleet(err)
	}
	r.announce(s)
}

func (s *scope) set(kind string, v conditions.Verdict) {
	conditions.Set(&s.config.Status.Conditions, kind, s.config.Generation, v)
}

func (s *scope) concludeConflict() {
	message := fmt.Sprintf("KubeArmorConfig %s/%s is older and in force; delete one of the two", s.inForce.Namespace, s.inForce.Name)
	st := &s.config.Status
	st.Phase, st.Message = phaseError, message
	st.Nodes, st.Pools, st.PoolsOmitted, st.FailingNodes = v1.NodeCounts{}, nil, 0, nil
	s.set(v1.ConfigConflict, conditions.True(v1.ReasonOlderConfigExists, message))
	for _, kind := range []string{v1.ConfigReady, v1.ConfigNodesDetected, v1.ConfigEnforcing, v1.ConfigRolloutComplete, v1.ConfigRelayReady, v1.ConfigCertificatesValid} {
		s.set(kind, conditions.False(v1.ReasonOlderConfigExists, message))
	}
	s.set(v1.ConfigFieldsIgnored, fieldsIgnored(s.config.Spec))
}

func (s *scope) concludeRemoval(err error) {
	message := s.progress
	if message == "" {
		message = "the fleet is being removed"
	}
	if err != nil {
		message = "removal is held up: " + err.Error()
	}
	st := &s.config.Status
	st.Phase, st.Message = phaseDeleting, conditions.Clip(message, conditions.MaxMessage)
	st.Nodes, st.Pools, st.PoolsOmitted, st.FailingNodes = s.count(), nil, 0, nil
	for _, kind := range []string{v1.ConfigReady, v1.ConfigNodesDetected, v1.ConfigEnforcing, v1.ConfigRolloutComplete, v1.ConfigRelayReady, v1.ConfigCertificatesValid} {
		s.set(kind, conditions.False(v1.ReasonUninstalling, message))
	}
}

func (s *scope) concludeFleet(err error) {
	st := &s.config.Status
	st.Nodes = s.count()
	st.Pools, st.PoolsOmitted = s.poolLines()
	st.FailingNodes = s.failing()
	detected, rollout, enforcing := s.detected(), s.rollout(), s.enforcing()
	if err != nil {
		rollout = conditions.False(v1.ReasonApplyFailed, err.Error())
	}
	all := conditions.True(v1.ReasonAsExpected, "nodes are detected and agents are rolled out; "+enforcing.Message)
	ready := conditions.Summarise(all, detected, rollout)
	if err != nil {
		ready = rollout
	}
	s.set(v1.ConfigReady, ready)
	s.set(v1.ConfigNodesDetected, detected)
	s.set(v1.ConfigRolloutComplete, rollout)
	s.set(v1.ConfigEnforcing, enforcing)
	s.set(v1.ConfigRelayReady, relayReady(s.relay))
	s.set(v1.ConfigCertificatesValid, s.certificates)
	s.set(v1.ConfigFieldsIgnored, fieldsIgnored(s.config.Spec))
	s.set(v1.ConfigConflict, conditions.False(v1.ReasonOnlyConfig, "no other KubeArmorConfig is in force"))
	st.Message = conditions.Clip(ready.Message, conditions.MaxMessage)
	switch {
	case err != nil:
		st.Phase = phaseError
	case conditions.IsTrue(st.Conditions, v1.ConfigReady):
		st.Phase = phaseRunning
	default:
		st.Phase = phasePending
	}
}

// fieldsIgnored names what is set and has no effect.
func fieldsIgnored(spec v1.KubeArmorConfigSpec) conditions.Verdict {
	fields, err := render.IgnoredFields(spec)
	switch {
	case err != nil:
		return conditions.Unknown(v1.ReasonFieldsWithoutEffect, err.Error())
	case len(fields) > 0:
		return conditions.True(v1.ReasonFieldsWithoutEffect,
			"set in the spec and without effect in this version: "+strings.Join(fields, ", "))
	default:
		return conditions.False(v1.ReasonAllFieldsEffective, "every field that is set has its effect")
	}
}
