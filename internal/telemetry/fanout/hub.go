// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Hub has the subscribers of one kind of item.
type Hub[T any] struct {
	// Most subscribers at once, and how many items of either kind wait for each.
	most, size int

	mu          sync.RWMutex
	subscribers map[*Subscriber[T]]struct{}
	// gone counts for those that left.
	gone Count
}

// Subscriber is one reader of a hub.
type Subscriber[T any] struct {
	*Queue[T]
	// Name is its own, for instance its address.
	Name  string
	wants func(T) bool
}

// NewHub takes up to most subscribers, each of which may leave up to size urgent items unread, and as many others.
func NewHub[T any](most, size int) *Hub[T] {
	return &Hub[T]{most: most, size: size, subscribers: map[*Subscriber[T]]struct{}{}}
}

// Publish offers an item to every subscriber that wants it. It never waits.
func (h *Hub[T]) Publish(item T, urgent bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.subscribers {
		if s.wants(item) {
			s.Offer(item, urgent)
		}
	}
}

// Wanted says whether a subscriber wants the item.
func (h *Hub[T]) Wanted(item T) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for s := range h.subscribers {
		if s.wants(item) {
			return true
		}
	}
	return false
}

// Join adds a subscriber for what it wants. It refuses one too many: memory is bounded.
func (h *Hub[T]) Join(name string, wants func(T) bool) (*Subscriber[T], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subscribers) >= h.most {
		return nil, fmt.Errorf("%d clients are served already, and no more are", h.most)
	}
	s := &Subscriber[T]{Queue: NewQueue[T](h.size), Name: name, wants: wants}
	h.subscribers[s] = struct{}{}
	return s, nil
}

// Leave takes a subscriber out; what waits for it is dropped.
func (h *Hub[T]) Leave(s *Subscriber[T]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, found := h.subscribers[s]; !found {
		return
	}
	delete(h.subscribers, s)
	s.Close()
	h.gone = h.gone.Plus(s.Count())
}

// Count is that of all subscribers there were: an item counts once for each that wants it.
func (h *Hub[T]) Count() Count {
	h.mu.RLock()
	defer h.mu.RUnlock()
	sum := h.gone
	for s := range h.subscribers {
		sum = sum.Plus(s.Count())
	}
	return sum
}

// Subscribers of now, by name.
func (h *Hub[T]) Subscribers() []*Subscriber[T] {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]*Subscriber[T], 0, len(h.subscribers))
	for s := range h.subscribers {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *Subscriber[T]) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
