// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
)

// deliver alerts, but for those that are nil.
func (a *Agent) deliver(alerts ...*telemetry.Alert) {
	for _, alert := range alerts {
		if alert != nil {
			a.alerts.Offer(alert)
			a.telemetry.Alert(alert)
		}
	}
}

// expiry is how often it is looked at whether alerts that are held back may pass again.
const expiry = time.Second

func (a *Agent) keepExpiring(ctx context.Context) {
	tick := time.NewTicker(expiry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.deliver(a.throttle.Expire(now)...)
		}
	}
}

// limitOf the KubeArmorConfig's settings. What is no number counts as its default.
func limitOf(settings map[string]string) telemetry.Limit {
	if settings["alertThrottling"] != "true" {
		return telemetry.Limit{}
	}
	number := func(key string, fallback int) int {
		if n, err := strconv.Atoi(settings[key]); err == nil && n > 0 {
			return n
		}
		return fallback
	}
	return telemetry.Limit{PerSecond: number("maxAlertPerSec", 10), Interval: time.Duration(number("throttleSec", 30)) * time.Second}
}

// stages is what became of all events before they were for clients. The kernel does not count what it generates: that is
// what was read from it and what it counts as lost, the latter since its tables were made.
func (a *Agent) stages() []fanout.Stage {
	logs := a.logs.Load()
	read, lost := a.readEvents.Load(), enforcer.Lost(a.snapshot().stats)
	return []fanout.Stage{
		{Name: "kernel", Count: fanout.Count{Generated: read + lost, Delivered: read, Dropped: lost}},
		{Name: "logs", Count: fanout.Count{Generated: logs, Delivered: logs}},
		{Name: "throttle", Count: a.throttle.Count()},
		{Name: "stdout", Count: a.alerts.Count()},
	}
}

// telemetryMetrics are the account of all events, and the clients of the telemetry server.
type telemetryMetrics struct {
	agent *Agent

	items, waiting, clients, refused *prometheus.Desc
}

func newTelemetryMetrics(a *Agent) telemetryMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("kubearmor_agent_telemetry_"+name, help, labels, nil)
	}
	return telemetryMetrics{
		agent: a,
		items: desc("items_total", "Events, alerts, logs and messages, by stage and by what became of them. Generated is the sum of delivered, "+
			"aggregated, throttled, dropped and those that wait. A client's stage counts an item once for each client that asked for it.", "stage", "outcome"),
		waiting: desc("items_waiting", "Items of a stage of which nothing has become yet.", "stage"),
		clients: desc("clients", "Open streams of the telemetry server.", "stream"),
		refused: desc("refused_connections_total", "Connections that the telemetry server did not let in."),
	}
}

// Describe is prometheus.Collector's.
func (m telemetryMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.items, m.waiting, m.clients, m.refused} {
		to <- d
	}
}

// Collect is prometheus.Collector's.
func (m telemetryMetrics) Collect(to chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, stage := range append(m.agent.stages(), m.agent.telemetry.Stages()...) {
		counter(m.items, stage.Generated, stage.Name, "generated")
		counter(m.items, stage.Delivered, stage.Name, "delivered")
		counter(m.items, stage.Aggregated, stage.Name, "aggregated")
		counter(m.items, stage.Throttled, stage.Name, "throttled")
		counter(m.items, stage.Dropped, stage.Name, "dropped")
		gauge(m.waiting, float64(stage.Waiting), stage.Name)
	}
	for stream, n := range m.agent.telemetry.Clients() {
		gauge(m.clients, float64(n), stream)
	}
	counter(m.refused, m.agent.telemetry.Refused())
}
