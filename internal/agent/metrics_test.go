// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func TestDecisionsAreCountedByTheirDomain(t *testing.T) {
	m := newMetrics(&Agent{})
	for domain, operation := range map[compile.Domain]string{
		compile.DomainProcess: enforcer.OperationExec, compile.DomainFile: enforcer.OperationOpen, compile.DomainNetwork: enforcer.OperationConnect,
		compile.DomainCapabilities: enforcer.OperationCapable, compile.DomainDNS: enforcer.OperationLookup,
	} {
		m.observeEvent(enforcer.Event{Domain: domain, Operation: operation, Denied: domain == compile.DomainDNS}, true, true)
	}
	want := []string{
		`{domain="capabilities",verdict="audit"} 1`, `{domain="dns",verdict="block"} 1`, `{domain="file",verdict="audit"} 1`,
		`{domain="network",verdict="audit"} 1`, `{domain="process",verdict="audit"} 1`,
	}
	if diff := cmp.Diff(want, series(m.decisions, "kubearmor_agent_decisions_total")); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

// series are the labels and values of one metric, as a scraper gets them.
func series(c prometheus.Collector, name string) []string {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var found []string
	for line := range strings.Lines(answer.Body.String()) {
		if labels, is := strings.CutPrefix(strings.TrimSpace(line), name); is {
			found = append(found, labels)
		}
	}
	slices.Sort(found)
	return found
}
