// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// fieldOwner of the status in server-side apply.
const fieldOwner = client.FieldOwner("kubearmor-agent")

// writeTimeout bounds one write: a dead API server must not hold up the next.
const writeTimeout = 10 * time.Second

// keepReporting writes the status whenever it differs from what the object says, at most once in Pace.Report, and the
// heartbeat without a difference. The object is looked at, not memory: others may have written it meanwhile.
// All times are jittered: the agents of a fleet must not call in step, least of all at an API server that comes back.
func (a *Agent) keepReporting(ctx context.Context) {
	every := around(a.o.Pace.Heartbeat, heartbeatJitter)
	heartbeat := time.NewTicker(every)
	defer heartbeat.Stop()
	var at time.Time
	retry := a.o.Pace.Report
	for {
		due := time.Since(at) >= every
		if status, differs := a.status(ctx); status != nil && (due || differs) {
			wait := a.o.Pace.Report
			if err := a.write(ctx, *status); err == nil {
				at, retry = time.Now(), a.o.Pace.Report
				every = around(a.o.Pace.Heartbeat, heartbeatJitter)
				heartbeat.Reset(every)
			} else if ctx.Err() == nil {
				wait = around(retry, retryJitter)
				retry = min(2*retry, a.o.Pace.ReportMost)
				a.o.Log.Error(err, "status not written", "again", wait.String())
				poke(a.report)
			}
			pause(ctx, wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-a.report:
		case <-heartbeat.C:
		}
	}
}

// How far waits differ from what they are on average.
const (
	heartbeatJitter = 0.1
	retryJitter     = 0.5
)

// around is d, up to a part of it shorter or longer.
func around(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * (1 + part*(2*rand.Float64()-1)))
}

// status is what the object shall say, nil without one, and whether it says something else.
func (a *Agent) status(ctx context.Context) (*operatorv1.KubeArmorNodeStatus, bool) {
	node, _ := a.watches.kubeArmorNode(ctx)
	s := a.snapshot()
	if node == nil || s.lastStep.IsZero() {
		return nil, false
	}
	status := statusOf(facet{
		state: s, observing: a.observing(), version: a.o.Version, bootID: a.o.BootID,
		runtime: a.o.Containers.Problem(), alertsDropped: a.alerts.Dropped(),
	}, node.Status.Conditions)
	return &status, !sameStatus(status, node.Status)
}

// sameStatus ignores what counts on by itself; it is written with the next difference or heartbeat.
func sameStatus(a, b operatorv1.KubeArmorNodeStatus) bool {
	a.Heartbeat, b.Heartbeat = nil, nil
	if (a.EventsDropped == 0) == (b.EventsDropped == 0) {
		a.EventsDropped, b.EventsDropped = 0, 0
	}
	return equality.Semantic.DeepEqual(a, b)
}

func (a *Agent) write(ctx context.Context, status operatorv1.KubeArmorNodeStatus) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	now := metav1.Now()
	status.Heartbeat = &now
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": fields}}
	object.SetGroupVersionKind(operatorv1.GroupVersion.WithKind("KubeArmorNode"))
	object.SetName(a.o.Node)
	err = a.writer.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	if apierrors.IsNotFound(err) {
		return nil // deleted since; its successor is a change of its own
	}
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
