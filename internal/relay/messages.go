// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Levels of messages.
const (
	levelInfo    = "INFO"
	levelWarning = "WARN"
)

// messageType marks the relay's own messages.
const messageType = "Relay"

// message is one of the relay's own.
func (r *Relay) message(level, text string, now time.Time) *feeder.Message {
	return &feeder.Message{
		Timestamp: now.Unix(), UpdatedTime: now.UTC().Format("2006-01-02T15:04:05.000000Z"),
		ClusterName: r.o.Cluster, HostName: r.o.Name, Type: messageType, Level: level, Message: text,
	}
}

// say sends a message to all clients.
func (r *Relay) say(level, text string) {
	now := time.Now()
	data, err := proto.Marshal(r.message(level, text, now))
	if err != nil {
		r.o.Log.Error(err, "a message of the relay cannot be encoded", "message", text)
		return
	}
	r.lanes[kindMessage].say(data, now)
}
