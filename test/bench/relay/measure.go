// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"

	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
	"github.com/kubearmor/kubearmor-operator/internal/relay/relaytest"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// patience bounds every wait that is not the measurement itself.
const patience = 3 * time.Minute

func (f flags) simulate(s security, begin <-chan struct{}) ([]*relaytest.Agent, error) {
	var agents []*relaytest.Agent
	for i := range f.agents {
		a, err := relaytest.Start(relaytest.Options{
			Name: fmt.Sprintf("simulated-%04d", i), Credentials: s.agent,
			Alerts: uint64(f.rate) * uint64(f.duration/time.Second), Rate: f.rate, Begin: begin,
		})
		if err != nil {
			return nil, err
		}
		agents = append(agents, a)
	}
	return agents, nil
}

// onTheWay is how many bytes may be on their way to a client, as in karmor logs.
const onTheWay = 1 << 20

// client reads alerts until the stream ends.
type client struct {
	name string
	// pause after each alert, in nanoseconds.
	pause atomic.Int64
	read  atomic.Uint64
	// twice are alerts that had come before, last the newest number of each agent.
	twice int
	last  map[string]uint64
	// delivered and dropped are what the relay told at the end.
	delivered, dropped uint64
	done               chan struct{}
}

func startClient(ctx context.Context, p *process, s security, c *client) error {
	conn, err := grpc.NewClient("passthrough:///"+p.address, grpc.WithTransportCredentials(s.client),
		grpc.WithInitialWindowSize(onTheWay), grpc.WithInitialConnWindowSize(onTheWay))
	if err != nil {
		return err
	}
	stream, err := feeder.NewLogServiceClient(conn).WatchAlerts(ctx, &feeder.RequestMessage{Filter: "policy"})
	if err == nil {
		_, err = stream.Header()
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	c.last, c.done = map[string]uint64{}, make(chan struct{})
	go func() {
		defer close(c.done)
		defer func() { _ = conn.Close() }()
		c.readAll(stream)
	}()
	return nil
}

func (c *client) readAll(stream grpc.ServerStreamingClient[feeder.Alert]) {
	for {
		a, err := stream.Recv()
		if err != nil {
			c.delivered, c.dropped, _ = past.Sums(stream.Trailer())
			return
		}
		n, err := strconv.ParseUint(a.GetEventData()["Number"], 10, 64)
		if err != nil || n <= c.last[a.GetHostName()] {
			c.twice++
		}
		c.last[a.GetHostName()] = n
		c.read.Add(1)
		if pause := c.pause.Load(); pause > 0 {
			time.Sleep(time.Duration(pause))
		}
	}
}

func (f flags) measure(ctx context.Context, p *process, s security, agents []*relaytest.Agent, begin chan<- struct{}) error {
	connected := func() bool {
		n, err := p.metric(`kubearmor_relay_agents{state="connected"}`)
		return err == nil && int(n) == f.agents
	}
	if err := wait(ctx, "all agents are connected", connected); err != nil {
		return err
	}
	clients := []*client{{name: "quick"}, {name: "slow"}}
	clients[1].pause.Store(int64(10 * time.Millisecond))
	for _, c := range clients {
		if err := startClient(ctx, p, s, c); err != nil {
			return err
		}
	}
	before, err := p.usage()
	if err != nil {
		return err
	}
	fmt.Printf("%d simulated agents are connected; %d alerts a second of each, for %s\n", f.agents, f.rate, f.duration)
	began := time.Now()
	close(begin)
	total := uint64(f.agents) * uint64(f.rate) * uint64(f.duration/time.Second)
	if err := f.watchMemory(ctx, p, agents, total); err != nil {
		return err
	}
	arrived := func() bool {
		n, err := p.metric(`kubearmor_relay_events_received_total{kind="alert"}`)
		return err == nil && uint64(n) == total
	}
	if err := wait(ctx, "everything has arrived", arrived); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := p.usage()
	if err != nil {
		return err
	}
	fmt.Printf("%d alerts in %.0f s: %.0f a second of %d\n", total, took.Seconds(), float64(total)/took.Seconds(), f.agents*f.rate)
	// What is held for the slow client, it may read now.
	clients[1].pause.Store(0)
	drained := func() bool {
		n, err := p.metric(`kubearmor_relay_events_waiting{kind="alert"}`)
		return err == nil && n == 0
	}
	if err := wait(ctx, "the clients have read what is held", drained); err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return fmt.Errorf("the relay ended: %w", err)
	}
	fmt.Printf("relay: memory %.0f MiB before, %.0f MiB after, %.0f MiB at most; processor %.0f %% of one core, %.1f µs an event\n",
		before.rss, after.rss, after.peak, 100*(after.cpu-before.cpu).Seconds()/took.Seconds(),
		float64((after.cpu-before.cpu).Microseconds())/float64(total))
	return account(clients, agents, total)
}

// watchMemory prints the relay's memory while the agents send.
func (f flags) watchMemory(ctx context.Context, p *process, agents []*relaytest.Agent, total uint64) error {
	ticker := time.NewTicker(max(f.duration/10, time.Second))
	defer ticker.Stop()
	deadline := time.Now().Add(f.duration + patience)
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		u, err := p.usage()
		if err != nil {
			return err
		}
		n := sent(agents)
		fmt.Printf("%5.0f s: %d sent, memory %.0f MiB\n", time.Since(began).Seconds(), n, u.rss)
		if n == total {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the agents sent only %d of %d: this machine is too slow for the rate", n, total)
		}
	}
}

func sent(agents []*relaytest.Agent) (sum uint64) {
	for _, a := range agents {
		sum += a.Alerts.Load()
	}
	return sum
}

// account compares what was sent with what each client read and was told it lost.
func account(clients []*client, agents []*relaytest.Agent, total uint64) error {
	var wrong error
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "client\tsent\tread\tdropped\tmissing\ttwice\t")
	for _, c := range clients {
		<-c.done
		missing := int64(sent(agents)) - int64(c.read.Load()) - int64(c.dropped)
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t\n", c.name, total, c.read.Load(), c.dropped, missing, c.twice)
		if missing != 0 || c.twice != 0 || c.read.Load() != c.delivered {
			wrong = errors.New("the accounts do not add up")
		}
	}
	return errors.Join(table.Flush(), wrong)
}

func wait(ctx context.Context, what string, is func() bool) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if is() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("not within %s: %s", patience, what)
}
