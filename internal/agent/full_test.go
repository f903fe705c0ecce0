// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// TestFullTableIsInTheStatusAndInTheMetrics, with what fills it; what was in force is left whole.
func TestFullTableIsInTheStatusAndInTheMetrics(t *testing.T) {
	kernel := &recordingEnforcer{events: make(chan enforcer.Event)}
	a, err := New(Options{Node: "n", Namespace: "kubearmor", Enforcer: bpf, Kubernetes: apiServer, Containers: &nodeContainers{}, Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	a.core = kernel
	defer a.stopReading()
	in := inputs{containers: []containers.Container{running("shop", "web", "app", 11)}, policies: overlapping(2)}
	if err := a.applyInputs(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	before, _ := kernel.last()
	kernel.applyErr = &sensor.TableFullError{Table: "rules", Need: 400_000, Capacity: 393_216, Folders: 300_000}
	in.policies = overlapping(3)
	var full *sensor.TableFullError
	if err := a.applyInputs(context.Background(), in); !errors.As(err, &full) {
		t.Fatalf("got %v, want a TableFullError", err)
	}
	if set, sets := kernel.last(); sets != 1 || set.Generation != before.Generation {
		t.Errorf("%d sets, the last one of generation %d", sets, set.Generation)
	}
	a.update(func(s *state) { s.open = true })
	status := statusOf(facet{state: a.snapshot()}, nil)
	applied := meta.FindStatusCondition(status.Conditions, operatorv1.NodePoliciesApplied)
	if applied == nil || applied.Reason != operatorv1.ReasonTableFull || !strings.Contains(applied.Message, "300000 of them for folders") {
		t.Errorf("condition %+v", applied)
	}
	refused := 0
	for _, p := range status.Policies {
		if p.Reason == operatorv1.ReasonTableFull {
			refused++
		}
	}
	if refused == 0 {
		t.Errorf("no policy says so: %+v", status.Policies)
	}
	page := httptest.NewRecorder()
	a.metrics.handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`kubearmor_agent_policy_apply_duration_seconds_count{result="applied"} 1`,
		`kubearmor_agent_policy_apply_duration_seconds_count{result="refused"} 1`,
		`kubearmor_agent_policy_generation 1`,
	} {
		if !strings.Contains(page.Body.String(), line+"\n") {
			t.Errorf("the metrics have no line %s", line)
		}
	}
}
