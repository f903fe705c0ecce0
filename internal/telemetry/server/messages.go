// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Values of a Message.
const (
	typeTelemetry = "Telemetry"
	levelInfo     = "INFO"
	levelWarn     = "WARN"
)

// How often losses are looked for, and how often the account is told without any.
const (
	lossInterval    = time.Second
	accountInterval = time.Minute
)

// say publishes a message.
func (s *Server) say(level, text string) {
	s.messages.Publish(s.message(time.Now(), level, text), level == levelWarn)
}

func (s *Server) message(now time.Time, level, text string) *feeder.Message {
	return &feeder.Message{
		Timestamp: now.Unix(), UpdatedTime: telemetry.Time(now), ClusterName: s.node.Cluster, HostName: s.node.Name,
		Type: typeTelemetry, Level: level, Message: text,
	}
}

// account is what became of all events, stage by stage.
func (s *Server) account(now time.Time) *feeder.Message {
	return s.message(now, levelInfo, fanout.Describe(append(s.stages(), s.Stages()...)))
}

// keepTelling tells each client's losses, and the account every minute and whenever a stage has dropped something.
func (s *Server) keepTelling(ctx context.Context) {
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	t := teller{server: s}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			t.tell(now)
		}
	}
}

// teller remembers what was told.
type teller struct {
	server *Server
	// told losses by subscriber, of those that are still there.
	told    map[any]uint64
	account time.Time
	dropped uint64
}

func (t *teller) tell(now time.Time) {
	told := map[any]uint64{}
	tellLosses(t, told, streamAlerts, t.server.alerts.Subscribers())
	tellLosses(t, told, streamLogs, t.server.logs.Subscribers())
	t.told = told
	dropped := uint64(0)
	for _, stage := range append(t.server.stages(), t.server.Stages()...) {
		// A client that reads no messages must not make more of them.
		if stage.Name != stageMessages {
			dropped += stage.Dropped
		}
	}
	if dropped == t.dropped && now.Sub(t.account) < accountInterval {
		return
	}
	t.dropped, t.account = dropped, now
	t.server.messages.Publish(t.server.account(now), false)
}

// tellLosses of each client whose losses have grown. All who watch messages are told; a client knows its own address.
func tellLosses[M any](t *teller, told map[any]uint64, stream string, clients []*fanout.Subscriber[*M]) {
	for _, c := range clients {
		count := c.Count()
		told[c] = count.Dropped
		if count.Dropped != t.told[c] {
			t.server.say(levelWarn, fmt.Sprintf("stream=%s client=%s %s: this client reads too slowly; no other client lost anything by it",
				stream, c.Name, count))
		}
	}
}
