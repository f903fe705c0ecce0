// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

func TestMistakesAreTold(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for name, tt := range map[string]struct {
		args, says string
	}{
		"no certificates":             {"--agents n=1.2.3.4:1 --tls-dir /nowhere", "--tls-dir: read the authority's certificate: open /nowhere/ca.crt"},
		"none for one side":           {"--agents n=1.2.3.4:1 --tls-dir /nowhere --insecure", "--agents-insecure"},
		"no agents and no cluster":    {"--insecure --agents-insecure", "POD_NAMESPACE must be set"},
		"an agent without a node":     {"--agents 1.2.3.4:1", `--agents "1.2.3.4:1" is not NODE=HOST:PORT`},
		"an agent without a port":     {"--agents n=1.2.3.4", "is not NODE=HOST:PORT"},
		"an agent twice":              {"--agents a=1.2.3.4:1,b=1.2.3.4:1", "its events would come twice"},
		"no window":                   {"--agents n=1.2.3.4:1 --reorder-window 0s", "--reorder-window is 0s"},
		"nowhere to serve":            {"--agents n=1.2.3.4:1 --insecure --agents-insecure --listen= --health-addr= --metrics-addr=", "--listen is empty"},
		"an address that is no one's": {"--agents n=1.2.3.4:1 --insecure --agents-insecure --listen 192.0.2.1:1", "serve 192.0.2.1:1"},
		"an argument":                 {"run", "unknown command"},
	} {
		t.Run(name, func(t *testing.T) {
			// A relay that starts in spite of its mistake must not go on.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			cmd := command()
			cmd.SetArgs(strings.Fields(tt.args))
			if err := cmd.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
	var out bytes.Buffer
	cmd := command()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"version"})
	if err := cmd.Execute(); err != nil || out.String() != version+"\n" {
		t.Errorf("version: %q, %v", out.String(), err)
	}
}
