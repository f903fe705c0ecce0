// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/relay"
)

// named reads NODE=HOST:PORT.
func named(list []string) (relay.Static, error) {
	var out relay.Static
	seen := map[string]bool{}
	for _, text := range list {
		node, address, found := strings.Cut(text, "=")
		if _, _, err := net.SplitHostPort(address); !found || node == "" || err != nil {
			return nil, fmt.Errorf("--agents %q is not NODE=HOST:PORT", text)
		}
		if seen[address] {
			return nil, fmt.Errorf("--agents names %s twice: its events would come twice", address)
		}
		seen[address] = true
		out = append(out, relay.Agent{ID: address, Node: node, Address: address})
	}
	return out, nil
}
