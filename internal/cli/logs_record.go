// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// record is one alert, log or message, with what filters and lines need of it.
type record struct {
	// message is the whole of it.
	message proto.Message
	at      time.Time
	node    string

	// The rest is empty for messages.
	namespace, pod, container, labels    string
	operation, resource, process, result string
	pid                                  int32
	// These are empty for logs as well.
	policy, action, severity, text string
	// level is of messages alone; their text is in text.
	level string

	// aside: not to be printed with the others, but told if it matters.
	aside bool
}

func alertRecord(a *feeder.Alert) record {
	return record{
		message: a, at: timeOf(a.GetUpdatedTime(), a.GetTimestamp()), node: a.GetHostName(),
		namespace: a.GetNamespaceName(), pod: a.GetPodName(), container: a.GetContainerName(), labels: a.GetLabels(),
		operation: a.GetOperation(), resource: a.GetResource(), process: a.GetSource(), result: a.GetResult(), pid: a.GetHostPID(),
		policy: a.GetPolicyName(), action: a.GetAction(), severity: a.GetSeverity(), text: a.GetMessage(),
	}
}

func logRecord(l *feeder.Log) record {
	return record{
		message: l, at: timeOf(l.GetUpdatedTime(), l.GetTimestamp()), node: l.GetHostName(),
		namespace: l.GetNamespaceName(), pod: l.GetPodName(), container: l.GetContainerName(), labels: l.GetLabels(),
		operation: l.GetOperation(), resource: l.GetResource(), process: l.GetSource(), result: l.GetResult(), pid: l.GetHostPID(),
	}
}

func messageRecord(m *feeder.Message) record {
	return record{
		message: m, at: timeOf(m.GetUpdatedTime(), m.GetTimestamp()), node: m.GetHostName(),
		level: m.GetLevel(), text: m.GetMessage(),
	}
}

// timeOf prefers the text, which has microseconds.
func timeOf(text string, seconds int64) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t
	}
	return time.Unix(seconds, 0)
}

// where is "namespace/pod", or the node.
func (r record) where() string {
	if r.pod == "" {
		return r.node
	}
	return r.namespace + "/" + r.pod
}

// outcome is one word for what became of the operation, or how much a message matters.
func (r record) outcome() string {
	switch {
	case r.level != "":
		return r.level
	case r.action != "":
		return r.action
	default:
		return r.result
	}
}
