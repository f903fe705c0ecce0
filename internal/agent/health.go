// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stuck is how long a step may take: to load the core on an emulated machine takes a minute.
const stuck = 10 * time.Minute

// healthHandler answers the kubelet. Liveness is the process's own: an API server or a runtime that is away is no reason
// to restart an agent, which would only lose what it knows.
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
		ready := facet{state: a.snapshot(), observing: a.observing(), runtime: a.o.Containers.Problem()}.ready()
		if ready.Status != metav1.ConditionTrue {
			http.Error(w, ready.Reason+": "+ready.Message, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	return mux
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
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", address, err)
	}
	return nil
}
