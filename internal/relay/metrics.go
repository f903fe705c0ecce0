// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are read from the relay when they are asked for. For each kind, offered = delivered + dropped + waiting.
type metrics struct {
	relay *Relay

	agents, clients, refused, streams, held, info        *prometheus.Desc
	received, receivedBytes, own, late, early, unwatched *prometheus.Desc
	offered, delivered, dropped, waiting                 *prometheus.Desc
}

func newMetrics(r *Relay) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("kubearmor_relay_"+name, help, labels, nil)
	}
	return &metrics{
		relay:         r,
		agents:        desc("agents", "Agents that are known, by state (connected, away).", "state"),
		clients:       desc("clients", "Connections of clients."),
		refused:       desc("refused_connections_total", "Connections of clients that were not let in."),
		streams:       desc("streams", "Streams of clients, by kind of event.", "kind"),
		held:          desc("held_bytes", "Bytes of the events held for clients.", "kind"),
		info:          desc("build_info", "Constant 1, labelled with the relay's version.", "version"),
		received:      desc("events_received_total", "Events that came from agents.", "kind"),
		receivedBytes: desc("events_received_bytes_total", "Bytes of the events that came from agents.", "kind"),
		own:           desc("events_own_total", "Events of the relay itself.", "kind"),
		late:          desc("events_late_total", "Events that came later than the window after they happened; they were passed on out of order.", "kind"),
		early:         desc("events_early_total", "Events passed on before their turn since the window was full.", "kind"),
		unwatched:     desc("events_unwatched_total", "Events that came when no client watched their kind.", "kind"),
		offered:       desc("events_offered_total", "Events for clients, counted for each client: delivered, dropped and waiting ones.", "kind"),
		delivered:     desc("events_delivered_total", "Events handed to clients' connections.", "kind"),
		dropped:       desc("events_dropped_total", "Events that a client did not get, by cause (slow_client, disconnected).", "kind", "cause"),
		waiting:       desc("events_waiting", "Events that clients have not read yet.", "kind"),
	}
}

func (r *Relay) metricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newMetrics(r), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// Describe is prometheus.Collector's.
func (m *metrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect is prometheus.Collector's.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value int, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	known, connected := m.relay.agents.count()
	gauge(m.agents, connected, "connected")
	gauge(m.agents, known-connected, "away")
	gauge(m.clients, m.relay.sessions.clients())
	if m.relay.o.Refused != nil {
		counter(m.refused, m.relay.o.Refused())
	}
	gauge(m.info, 1, m.relay.o.Version)
	for _, l := range m.relay.lanes {
		c, waiting, streams, held := l.snapshot()
		name := l.kind.String()
		gauge(m.streams, streams, name)
		gauge(m.held, held, name)
		gauge(m.waiting, int(waiting), name)
		counter(m.received, c.received, name)
		counter(m.receivedBytes, c.bytes, name)
		counter(m.own, c.own, name)
		counter(m.late, c.late, name)
		counter(m.early, c.early, name)
		counter(m.unwatched, c.unwatched, name)
		counter(m.offered, c.offered, name)
		counter(m.delivered, c.delivered, name)
		counter(m.dropped, c.slow, name, "slow_client")
		counter(m.dropped, c.disconnected, name, "disconnected")
	}
}
