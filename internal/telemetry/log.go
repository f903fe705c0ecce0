// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// NewLog makes the log of an event that no rule decided against. Its names are those of an alert on the same operation.
func NewLog(node Node, e enforcer.Event, w Workload) *Log {
	l := &Log{
		Timestamp: e.Time.Unix(), UpdatedTime: Time(e.Time),
		ClusterName: node.Cluster, HostName: node.Name, NodeID: node.ID,
		NamespaceName: w.Namespace, PodName: w.Pod, ContainerName: w.Container, ContainerID: w.ContainerID,
		ContainerImage: w.Image, Labels: joinLabels(w.Labels), Owner: w.Owner,
		HostPID: int32(e.HostPID), HostPPID: int32(e.HostPPID), PID: int32(e.PID), PPID: int32(e.PPID), UID: int32(e.UID),
		Type: typeLog, Source: text(e.Source), Operation: operationOf(e), Resource: text(e.Resource), Data: dataOf(e),
		Result:    resultPassed,
		ExecEvent: &feeder.ExecEvent{ExecutableName: text(e.Comm)},
		EventData: map[string]string{"Comm": text(e.Comm)},
	}
	if w.Host {
		l.Type = typeHostLog
	}
	l.ProcessName, l.ParentProcessName = processes(e)
	if e.Operation == enforcer.OperationExec {
		l.EventData["ArgsUnknown"] = argsUnknown
	}
	ends(l.EventData, e)
	unresolved(l.EventData, e)
	return l
}
