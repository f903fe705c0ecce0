// SPDX-License-Identifier: Apache-2.0

package node

import "github.com/prometheus/client_golang/prometheus"

// metrics of this controller.
type metrics struct {
	probes *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{probes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kubearmor_operator_probes_total",
		Help: "Probes of nodes that ended, by result: ProbeSucceeded or the reason of the failure.",
	}, []string{"result"})}
	registry.MustRegister(m.probes)
	return m
}
