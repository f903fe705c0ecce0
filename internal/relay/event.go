// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// kind of messages; each has a stream of its own.
type kind int

const (
	kindAlert kind = iota
	kindLog
	kindMessage
	kinds
)

// String is the kind's name in metrics.
func (k kind) String() string { return [kinds]string{"alert", "log", "message"}[k] }

// plural is the kind's name in sentences.
func (k kind) plural() string { return k.String() + "s" }

// event is one encoded message.
type event struct {
	// at is when it happened, in nanoseconds since 1970; in a window it is kept within the window before its arrival.
	at int64
	// seq tells apart what happened at the same time: what came first goes first.
	seq  uint64
	data []byte
}

// Numbers of the fields that all three kinds have in common.
const (
	fieldTimestamp   = 1 // seconds since 1970
	fieldUpdatedTime = 2 // the same with microseconds, RFC 3339
)

// timeOf reads when an encoded message happened, without decoding the rest of it. It is false where the message does not
// say so.
func timeOf(data []byte) (at int64, known bool) {
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return at, known
		}
		value := data[n:]
		switch {
		case number == fieldTimestamp && wire == protowire.VarintType:
			if seconds, m := protowire.ConsumeVarint(value); m > 0 {
				at, known = int64(seconds)*int64(time.Second), true
			}
		case number == fieldUpdatedTime && wire == protowire.BytesType:
			text, _ := protowire.ConsumeString(value)
			if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
				return t.UnixNano(), true
			}
		}
		skip := protowire.ConsumeFieldValue(number, wire, value)
		if skip < 0 {
			return at, known
		}
		data = value[skip:]
	}
	return at, known
}
