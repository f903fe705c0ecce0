// SPDX-License-Identifier: Apache-2.0

package product

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Alert is what is read of a JSON line of an agent or of karmor; the field names are a contract with users' tools.
type Alert struct {
	HostName, NamespaceName, PodName, ContainerName string
	Owner                                           Owner
	ProcessName, ParentProcessName                  string
	PolicyName, Severity, Tags, Message             string
	Type, Operation, Resource, Data                 string
	Action, Result, Enforcer                        string
	EventData                                       map[string]string
	// Line is the whole alert as the agent wrote it.
	Line string `json:"-"`
}

// Owner of a Pod, as alerts name it.
type Owner struct{ Ref, Name, Namespace string }

// Alerts of a node's agent on one policy, from its standard output.
func (c *Cluster) Alerts(ctx context.Context, node, namespace, policy string) ([]Alert, error) {
	pod, err := c.AgentOn(ctx, node)
	if err != nil {
		return nil, err
	}
	out, err := c.Run(ctx, "-n", pod.Namespace, "logs", pod.Name, "--all-containers")
	if err != nil {
		return nil, fmt.Errorf("read the agent's output on %s: %w", node, err)
	}
	return parseAlerts(out, namespace, policy), nil
}

// parseAlerts keeps the lines that are alerts of the policy; the agent's own log lines are between them.
func parseAlerts(output, namespace, policy string) []Alert {
	var alerts []Alert
	for line := range strings.Lines(output) {
		var alert Alert
		if json.Unmarshal([]byte(line), &alert) != nil || alert.NamespaceName != namespace || alert.PolicyName != policy {
			continue
		}
		alert.Line = strings.TrimSpace(line)
		alerts = append(alerts, alert)
	}
	return alerts
}
