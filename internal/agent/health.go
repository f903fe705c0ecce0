// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stuck is how long a step may take: to load the core on an emulated machine takes a minute.
const stuck = 10 * time.Minute

// healthHandler answers the kubelet by HTTP, and whoever asks by gRPC, on one port. Liveness is the process's own: an API
// server or a runtime that is away is no reason to restart an agent, which would only lose what it knows.
func (a *Agent) healthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		last := a.snapshot().lastStep
		if last.IsZero() {
			last = a.started
		}
		if since := time.Since(last); since > stuck {
			http.Error(w, fmt.Sprintf("no step for %s", since.Round(time.Second)), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ready := a.readiness(); ready.Status != metav1.ConditionTrue {
			http.Error(w, ready.Reason+": "+ready.Message, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	calls := grpc.NewServer()
	healthv1.RegisterHealthServer(calls, a.health)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			calls.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// tellHealth says by gRPC what /readyz says.
func (a *Agent) tellHealth() {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if a.readiness().Status == metav1.ConditionTrue {
		status = healthv1.HealthCheckResponse_SERVING
	}
	a.health.SetServingStatus("", status)
}

func (a *Agent) readiness() metav1.Condition {
	return facet{state: a.snapshot(), observing: a.observing(), runtime: a.o.Containers.Problem()}.ready()
}

// serve answers HTTP until ctx ends. An empty address serves nothing.
func serve(ctx context.Context, address string, handler http.Handler) error {
	if address == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve %s: %w", address, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, Protocols: &http.Protocols{}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // what gRPC speaks
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", address, err)
	}
	return nil
}
