// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
)

// metrics of one agent. What only counts up in the kernel is read when it is asked for.
type metrics struct {
	agent    *Agent
	registry *prometheus.Registry

	decisions    *prometheus.CounterVec
	unattributed *prometheus.CounterVec
	apply        *prometheus.HistogramVec
	bind         prometheus.Histogram
	boundUntil   time.Time

	drops, entries, capacity, generation, bound, info *prometheus.Desc
}

func newMetrics(a *Agent) *metrics {
	const prefix = "kubearmor_agent_"
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+name, help, labels, nil)
	}
	m := &metrics{
		agent: a, registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "decisions_total", Help: "Matches of rules, by domain and verdict (block, audit).",
		}, []string{"domain", "verdict"}),
		unattributed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "events_unattributed_total", Help: "Events whose rule or workload is not known any more.",
		}, []string{"missing"}),
		apply: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "policy_apply_duration_seconds", Help: "From the first look at the caches to the switch of the generation.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"result"}),
		bind: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "container_bind_duration_seconds", Help: "From the hint that a container appeared to its policies in force.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		drops:      desc("events_dropped_total", "Events that nobody got and operations that could not be judged, by cause.", "cause"),
		entries:    desc("table_entries", "Entries of a kernel table.", "table"),
		capacity:   desc("table_capacity", "Entries that a kernel table can hold.", "table"),
		generation: desc("policy_generation", "Generation of policies in force."),
		bound:      desc("containers_bound", "Containers that policies confine."),
		info:       desc("build_info", "Constant 1, labelled with the agent's version and enforcer.", "version", "enforcer"),
	}
	m.registry.MustRegister(m.decisions, m.unattributed, m.apply, m.bind, m,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

// Describe is prometheus.Collector's.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.drops, m.entries, m.capacity, m.generation, m.bound, m.info} {
		to <- d
	}
}

// Collect is prometheus.Collector's.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	s := m.agent.snapshot()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	for cause, n := range s.stats.Drops {
		counter(m.drops, n, cause)
	}
	counter(m.drops, m.agent.alerts.Dropped(), "alert_queue_full")
	for _, t := range s.stats.Tables {
		gauge(m.entries, float64(t.Used), t.Name)
		gauge(m.capacity, float64(t.Capacity), t.Name)
	}
	gauge(m.generation, float64(s.generation))
	gauge(m.bound, float64(s.containers))
	gauge(m.info, 1, m.agent.o.Version, string(m.agent.o.Enforcer))
}

func (m *metrics) observeEvent(e enforcer.Event, ruleKnown, workloadKnown bool) {
	verdict := "audit"
	if e.Denied {
		verdict = "block"
	}
	m.decisions.WithLabelValues(e.Domain.String(), verdict).Inc()
	if !ruleKnown {
		m.unattributed.WithLabelValues("rule").Inc()
	}
	if !workloadKnown {
		m.unattributed.WithLabelValues("workload").Inc()
	}
}

func (m *metrics) observeApply(took time.Duration, err error) {
	result := "applied"
	if err != nil {
		result = "refused"
	}
	m.apply.WithLabelValues(result).Observe(took.Seconds())
}

// observeBindings measures each container once: those that were not there the last time. The first time tells nothing:
// all of them are older than the agent's knowledge.
func (m *metrics) observeBindings(live []containers.Container, now time.Time) {
	newest := m.boundUntil
	if newest.IsZero() {
		newest = m.agent.started
	}
	for _, c := range live {
		if first := m.boundUntil.IsZero(); !first && c.Seen.After(m.boundUntil) {
			m.bind.Observe(now.Sub(c.Seen).Seconds())
		}
		if c.Seen.After(newest) {
			newest = c.Seen
		}
	}
	m.boundUntil = newest
}
