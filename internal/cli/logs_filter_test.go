// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

func shadowAlert() *feeder.Alert {
	return &feeder.Alert{
		Timestamp: 1795442527, UpdatedTime: "2026-11-23T14:02:07.123456Z", ClusterName: "default", HostName: "worker-1",
		NamespaceName: "shop", PodName: "web-1", ContainerName: "app", Labels: "app=web,tier=front",
		HostPID: 300, PID: 3, PPID: 1, HostPPID: 200, PolicyName: "block-shadow", Severity: "7", Message: "hands off",
		Type: "MatchedPolicy", Source: "/usr/bin/cat", Operation: "File", Resource: "/etc/shadow", Data: "lsm=FILE_OPEN flags=O_RDONLY",
		Action: "Block", Result: "Permission denied", Enforcer: "BPFLSM", Owner: &feeder.Podowner{Ref: "Deployment", Name: "web", Namespace: "shop"},
	}
}

func connectLog() *feeder.Log {
	return &feeder.Log{
		Timestamp: 1795442528, UpdatedTime: "2026-11-23T14:02:08.000001Z", ClusterName: "default", HostName: "worker-1",
		NamespaceName: "shop", PodName: "web-1", ContainerName: "app", Labels: "app=web", HostPID: 301,
		Type: "ContainerLog", Source: "/usr/bin/curl", Operation: "Network", Resource: "10.0.0.7:5432", Data: "lsm=SOCKET_CONNECT", Result: "Passed",
	}
}

func lossMessage() *feeder.Message {
	return &feeder.Message{
		Timestamp: 1795442529, UpdatedTime: "2026-11-23T14:02:09.5Z", ClusterName: "default", HostName: "relay-0",
		Type: "Relay", Level: "WARN", Message: "2 of 3 agents are connected; missing: worker-9 (connection refused)",
	}
}

func TestRecordFilter(t *testing.T) {
	alert, log, message := alertRecord(shadowAlert()), logRecord(connectLog()), messageRecord(lossMessage())
	atLeast := func(n int) comparison { return comparison{">=", n} }
	for name, tt := range map[string]struct {
		filter              recordFilter
		alert, log, message bool
	}{
		"nothing is asked":                {recordFilter{}, true, true, true},
		"the namespace":                   {recordFilter{namespaces: []string{"shop"}}, true, true, false},
		"one of two namespaces":           {recordFilter{namespaces: []string{"bank", "shop"}}, true, true, false},
		"another namespace":               {recordFilter{namespaces: []string{"sho"}}, false, false, false},
		"the Pod and another container":   {recordFilter{pods: []string{"web-1"}, containers: []string{"sidecar"}}, false, false, false},
		"the node":                        {recordFilter{nodes: []string{"worker-1"}}, true, true, false},
		"the relay as a node":             {recordFilter{nodes: []string{"relay-0"}}, false, false, true},
		"a label":                         {recordFilter{labels: []string{"app=web"}}, true, true, false},
		"two labels, both there":          {recordFilter{labels: []string{"app=web", "tier=front"}}, true, false, false},
		"a label's key":                   {recordFilter{labels: []string{"tier"}}, true, false, false},
		"a label with another value":      {recordFilter{labels: []string{"app=we"}}, false, false, false},
		"a policy":                        {recordFilter{policies: []string{"block-shadow"}}, true, false, false},
		"an operation":                    {recordFilter{operations: []string{"Network"}}, false, true, false},
		"an action":                       {recordFilter{actions: []string{"Audit", "Block"}}, true, false, false},
		"a severity that is reached":      {recordFilter{severity: atLeast(7)}, true, false, false},
		"a severity that is not reached":  {recordFilter{severity: atLeast(8)}, false, false, false},
		"since before all":                {recordFilter{since: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)}, true, true, true},
		"since after the alert":           {recordFilter{since: time.Date(2026, 11, 23, 14, 2, 8, 0, time.UTC)}, false, true, true},
		"since the very time of the log":  {recordFilter{since: time.Date(2026, 11, 23, 14, 2, 8, 1000, time.UTC)}, false, true, true},
		"the namespace and the operation": {recordFilter{namespaces: []string{"shop"}, operations: []string{"File"}}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := [3]bool{tt.filter.matches(alert), tt.filter.matches(log), tt.filter.matches(message)}
			if want := [3]bool{tt.alert, tt.log, tt.message}; got != want {
				t.Errorf("alert, log, message: got %v, want %v", got, want)
			}
		})
	}
}

func TestSeverities(t *testing.T) {
	for text, holds := range map[string][10]bool{
		"5":    {4: true},
		"=5":   {4: true},
		"==5":  {4: true},
		">=9":  {8: true, 9: true},
		"> 9":  {9: true},
		"<2":   {0: true},
		"<=2 ": {0: true, 1: true},
	} {
		c, valid := parseComparison(text)
		if !valid {
			t.Errorf("%q is refused", text)
		}
		for i, want := range holds {
			severity := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}[i]
			if got := c.holds(severity); got != want {
				t.Errorf("%s %q: %v", severity, text, got)
			}
		}
		if c.holds("") {
			t.Errorf("%q holds for what has no severity", text)
		}
	}
	for _, text := range []string{"", "high", ">=", "=>5", "<>5", "0", "11", ">=5.5", "5<", "-1"} {
		if _, valid := parseComparison(text); valid {
			t.Errorf("%q is taken", text)
		}
	}
}
