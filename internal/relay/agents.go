// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// fanIn holds one link to each agent.
type fanIn struct {
	relay *Relay
	mu    sync.Mutex
	links map[string]*link
	ended bool
}

func newFanIn(r *Relay) *fanIn { return &fanIn{relay: r, links: map[string]*link{}} }

// set makes the links those to these agents. A link that goes has ended before one that comes begins: two to one agent would
// bring its events twice.
func (f *fanIn) set(ctx context.Context, agents []Agent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	wanted := make(map[string]Agent, len(agents))
	for _, a := range agents {
		wanted[a.ID] = a
	}
	var gone []*link
	for id, l := range f.links {
		if wanted[id] != l.agent {
			delete(f.links, id)
			gone = append(gone, l)
		}
	}
	end(gone)
	for id, a := range wanted {
		if f.links[id] == nil {
			f.links[id] = startLink(ctx, f.relay, a)
		}
	}
	f.relay.o.Log.V(1).Info("agents are known", "agents", len(wanted), "gone", len(gone))
}

// stop ends all links, for good.
func (f *fanIn) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	all := make([]*link, 0, len(f.links))
	for _, l := range f.links {
		all = append(all, l)
	}
	end(all)
	clear(f.links)
}

func end(links []*link) {
	for _, l := range links {
		l.cancel()
	}
	for _, l := range links {
		<-l.done
	}
}

// count gives how many agents there are, and how many of them are connected.
func (f *fanIn) count() (known, connected int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.links {
		if up, _ := l.state(); up {
			connected++
		}
	}
	return len(f.links), connected
}

// named is how many agents a sentence names at most.
const named = 3

// summary says in a sentence which agents are missing from the stream.
func (f *fanIn) summary() (level, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var missing []string
	for _, l := range f.links {
		if up, cause := l.state(); !up {
			missing = append(missing, l.agent.Node+" ("+cause+")")
		}
	}
	slices.Sort(missing)
	known := len(f.links)
	switch {
	case known == 0:
		return levelWarning, "this relay knows no agents: nothing comes until one runs; see: karmor probe"
	case len(missing) == 0:
		return levelInfo, fmt.Sprintf("%d of %d agents are connected", known, known)
	case len(missing) > named:
		missing = append(missing[:named], fmt.Sprintf("and %d more", len(missing)-named))
	}
	return levelWarning, fmt.Sprintf("%d of %d agents are connected; missing: %s", known-len(missing), known, strings.Join(missing, ", "))
}
