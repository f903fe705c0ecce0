// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// slotRetry is how long a node waits for a slot when nothing wakes it earlier.
const slotRetry = 30 * time.Second

// slots hands out the right to be probed. Which are taken, only the Pods say; line is whom to wake when one is free. A
// restart loses nothing with it: every node is looked at then, and joins again.
type slots struct {
	// starting serialises "count the probes, then start one": two workers must not both see the last free slot.
	starting sync.Mutex

	mu   sync.Mutex
	line []string
}

// join before looking for a slot: one that is freed right after the look must find the node in line.
func (s *slots) join(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.line, node) {
		s.line = append(s.line, node)
	}
}

func (s *slots) leave(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = slices.DeleteFunc(s.line, func(have string) bool { return have == node })
}

// isEmpty says whether nobody waits.
func (s *slots) isEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.line) == 0
}

// next takes the first n out of the line. Whoever still finds no slot joins again, at its end.
func (s *slots) next(n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.line))
	first := slices.Clone(s.line[:n])
	s.line = slices.Delete(s.line, 0, n)
	return first
}

// takeSlot says whether the node may be probed now; nobody else may start a probe before the caller releases. A node that
// may not is in line.
func (r *Reconciler) takeSlot(ctx context.Context, node string) (free bool, release func(), err error) {
	r.slots.starting.Lock()
	r.slots.join(node)
	if free, err = r.hasFreeSlot(ctx); free {
		r.slots.leave(node)
	}
	return free, r.slots.starting.Unlock, err
}

// nextInLine are as many waiting nodes as the cache shows slots free: it is as new as the event that asks.
func (r *Reconciler) nextInLine(ctx context.Context) []string {
	if r.slots.isEmpty() {
		return nil
	}
	live, err := r.liveProbes(ctx, r.Client)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "look for free slots")
		return nil
	}
	return r.slots.next(max(0, r.MaxProbes-live))
}

// hasFreeSlot asks the cache, which is cheap, and only when that has one the API server: the cache may not have seen the
// probe that another worker started a moment ago.
func (r *Reconciler) hasFreeSlot(ctx context.Context) (bool, error) {
	for _, reader := range []client.Reader{r.Client, r.Live} {
		live, err := r.liveProbes(ctx, reader)
		if err != nil || live >= r.MaxProbes {
			return false, err
		}
	}
	return true, nil
}

// liveProbes counts the probe Pods that occupy a slot.
func (r *Reconciler) liveProbes(ctx context.Context, reader client.Reader) (int, error) {
	list := &corev1.PodList{}
	err := reader.List(ctx, list, client.InNamespace(r.Defaults.Namespace), client.MatchingLabels{v1.LabelApp: v1.AppProbe})
	if err != nil {
		return 0, fmt.Errorf("list probe Pods: %w", err)
	}
	live := 0
	for i := range list.Items {
		p := &list.Items[i]
		if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			live++
		}
	}
	return live, nil
}
