// SPDX-License-Identifier: Apache-2.0

package config

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

// metrics of this controller.
type metrics struct {
	nodes        *prometheus.GaugeVec
	certificates *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{nodes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kubearmor_operator_nodes",
		Help: "Nodes by pool, by the enforcer that they are given, and by the reason of their condition Enforcing.",
	}, []string{"pool", "enforcer", "reason"}), certificates: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kubearmor_operator_certificate_expiry_timestamp_seconds",
		Help: "When the certificate in use ends, in seconds since 1970. It is renewed at two thirds of its life.",
	}, []string{"certificate"})}
	registry.MustRegister(m.nodes, m.certificates)
	return m
}

func (m *metrics) observe(kans map[string]*v1.KubeArmorNode) {
	m.nodes.Reset()
	for _, kan := range kans {
		enforcer := ""
		if kan.Spec.Verdict != nil {
			enforcer = string(kan.Spec.Verdict.Enforcer)
		}
		m.nodes.WithLabelValues(kan.Spec.Pool, enforcer, conditions.Get(kan.Status.Conditions, v1.NodeEnforcing).Reason).Inc()
	}
}

func (m *metrics) observeCertificates(ends map[string]time.Time) {
	m.certificates.Reset()
	for name, end := range ends {
		m.certificates.WithLabelValues(name).Set(float64(end.Unix()))
	}
}
