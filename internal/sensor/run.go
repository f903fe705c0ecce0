// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Run reads events until ctx ends, and passes each to handle, one at a time. While handle is slow, events wait in the
// kernel's rings, the denials in one of their own. Only one Run may be active for a core, in whatever process.
func (c *Core) Run(ctx context.Context, handle func(Event)) error {
	if c.closed() {
		return errClosed
	}
	var mu sync.Mutex
	oneAtATime := func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		handle(e)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, ring := range []string{tableDenials, tableAudits} {
		group.Go(func() error { return c.read(ctx, ring, oneAtATime) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (c *Core) read(ctx context.Context, ring string, handle func(Event)) error {
	reader, err := ringbuf.NewReader(c.maps[ring])
	if err != nil {
		return fmt.Errorf("open ring %s: %w", ring, err)
	}
	stop := context.AfterFunc(ctx, func() { reader.Close() })
	defer func() {
		stop()
		reader.Close()
	}()
	var record ringbuf.Record
	for {
		err := reader.ReadInto(&record)
		switch {
		case errors.Is(err, ringbuf.ErrClosed):
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("read ring %s: %w", ring, err)
		}
		event, err := decode(record.RawSample, bootTime())
		if err != nil {
			c.lost.undecodable.Add(1)
			c.log.Error(err, "event lost", "ring", ring)
			continue
		}
		handle(event)
	}
}

// bootTime is when the machine started, by today's clock.
func bootTime() time.Time {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(since.Nano()))
}
