// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// qmp speaks QEMU's monitor protocol. Events are skipped: what ends a machine is seen by its process ending.
type qmp struct {
	mu      sync.Mutex
	socket  *os.File
	decoder *json.Decoder
	ready   bool
}

type qmpMessage struct {
	Greeting json.RawMessage `json:"QMP"`
	Event    string          `json:"event"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Class       string `json:"class"`
		Description string `json:"desc"`
	} `json:"error"`
}

func newQMP(socket *os.File) *qmp {
	return &qmp{socket: socket, decoder: json.NewDecoder(socket)}
}

// QMP runs one command of QEMU's monitor, such as "query-status", and returns its answer.
func (r *Running) QMP(ctx context.Context, command string, arguments any) (json.RawMessage, error) {
	r.qmp.mu.Lock()
	defer r.qmp.mu.Unlock()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	if err := r.qmp.socket.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("qmp %s: %w", command, err)
	}
	if !r.qmp.ready {
		if _, err := r.qmp.execute("qmp_capabilities", nil); err != nil {
			return nil, err
		}
		r.qmp.ready = true
	}
	return r.qmp.execute(command, arguments)
}

func (q *qmp) execute(command string, arguments any) (json.RawMessage, error) {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	line, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("qmp %s: %w", command, err)
	}
	if _, err := q.socket.Write(line); err != nil {
		return nil, fmt.Errorf("qmp %s: %w", command, err)
	}
	for {
		var message qmpMessage
		if err := q.decoder.Decode(&message); err != nil {
			return nil, fmt.Errorf("qmp %s: %w", command, err)
		}
		switch {
		case message.Error != nil:
			return nil, fmt.Errorf("qmp %s: %s: %s", command, message.Error.Class, message.Error.Description)
		case message.Return != nil:
			return message.Return, nil
		}
	}
}
