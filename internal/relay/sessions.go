// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sessions are the connections of clients. A client has a stream for each kind; what it lost on one it is told on another.
type sessions struct {
	mu      sync.Mutex
	streams int
	limit   int
	open    map[string]*session
}

// session is one connection.
type session struct {
	address string
	// streams that are open, under the sessions' lock.
	streams int
	// lost events of each kind that the client was too slow for.
	lost [kinds]atomic.Uint64
}

func newSessions(limit int) *sessions { return &sessions{limit: limit, open: map[string]*session{}} }

// enter opens a stream of the connection from an address.
func (s *sessions) enter(address string) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams >= s.limit {
		return nil, status.Errorf(codes.ResourceExhausted,
			"this relay has %d streams open and takes no more: end some clients, or connect to another replica", s.streams)
	}
	one := s.open[address]
	if one == nil {
		one = &session{address: address}
		s.open[address] = one
	}
	s.streams++
	one.streams++
	return one, nil
}

func (s *sessions) leave(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
	if one.streams--; one.streams == 0 {
		delete(s.open, one.address)
	}
}

// clients gives the number of connections.
func (s *sessions) clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
