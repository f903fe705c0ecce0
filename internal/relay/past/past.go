// SPDX-License-Identifier: Apache-2.0

// Package past is how karmor asks a relay for the events that it still holds: names in gRPC's metadata, which other clients and
// agents know nothing of. A server that understands says so in its header, and tells at the end what became of the stream.
package past

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"
)

const (
	keySince     = "kubearmor-since"
	keyEnd       = "kubearmor-end"
	keyRelay     = "kubearmor-relay"
	keyDelivered = "kubearmor-delivered"
	keyDropped   = "kubearmor-dropped"

	endHeld = "held"
)

// Span of events. The zero Span is what comes from now on.
type Span struct {
	// Held: also the events that the relay still holds, of those the ones that happened at Since or later.
	Held  bool
	Since time.Time
	// Ends: only what is there already.
	Ends bool
}

// Ask puts a span into the metadata of a call.
func Ask(ctx context.Context, s Span) context.Context {
	if s.Held {
		since := int64(0)
		if !s.Since.IsZero() {
			since = s.Since.UnixNano()
		}
		ctx = metadata.AppendToOutgoingContext(ctx, keySince, strconv.FormatInt(since, 10))
	}
	if s.Ends {
		ctx = metadata.AppendToOutgoingContext(ctx, keyEnd, endHeld)
	}
	return ctx
}

// Asked reads the span that a caller asks for.
func Asked(ctx context.Context) (s Span, err error) {
	asked, _ := metadata.FromIncomingContext(ctx)
	if values := asked.Get(keySince); len(values) > 0 {
		since, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return s, fmt.Errorf("%s %q is not a number of nanoseconds since 1970", keySince, values[0])
		}
		s.Held, s.Since = true, time.Unix(0, since)
	}
	if values := asked.Get(keyEnd); len(values) > 0 {
		if s.Ends = values[0] == endHeld; !s.Ends {
			return s, fmt.Errorf("%s %q is not %q", keyEnd, values[0], endHeld)
		}
	}
	return s, nil
}

// Header says that a relay of this version answers.
func Header(version string) metadata.MD { return metadata.Pairs(keyRelay, version) }

// Understood says whether a header is a relay's.
func Understood(header metadata.MD) bool { return len(header.Get(keyRelay)) > 0 }

// Trailer says how many events a stream delivered, and how many it dropped.
func Trailer(delivered, dropped uint64) metadata.MD {
	return metadata.Pairs(keyDelivered, strconv.FormatUint(delivered, 10), keyDropped, strconv.FormatUint(dropped, 10))
}

// Sums reads a trailer; it is false for one that has none.
func Sums(trailer metadata.MD) (delivered, dropped uint64, found bool) {
	number := func(key string) (uint64, bool) {
		values := trailer.Get(key)
		if len(values) == 0 {
			return 0, false
		}
		n, err := strconv.ParseUint(values[0], 10, 64)
		return n, err == nil
	}
	delivered, there := number(keyDelivered)
	dropped, also := number(keyDropped)
	return delivered, dropped, there && also
}
