// SPDX-License-Identifier: Apache-2.0

// Package containers knows the containers of this node and the cgroup that each of them runs in.
package containers

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/root"
)

const (
	// resync is how often the runtime is asked even without a hint.
	resync = time.Second
	// settle is how long after a hint the runtime is asked: one new Pod makes a handful of cgroups.
	settle = 2 * time.Millisecond
	// remember is how long a container that ended can be looked up: its last events are still on their way.
	remember = time.Minute
	// patience is how long a call about one container may take: others wait behind it.
	patience = 3 * time.Second
	// backoff after a container's second failure, doubled up to backoffMost; the second try comes at once.
	backoff, backoffMost = time.Second, 30 * time.Second
)

// PodRef names the Pod of a container.
type PodRef struct{ Namespace, Name, UID string }

// Container is one that runs or is about to.
type Container struct {
	ID, Sandbox, Name, Image string
	Pod                      PodRef
	Running                  bool
	// Labels and Annotations of the Pod as they were when its sandbox was made.
	Labels, Annotations map[string]string
	Cgroup              compile.Cgroup
	// Root is its root directory; nil until the OCI runtime has made it.
	Root *root.Root
	// Seen is when this process first knew its cgroup.
	Seen time.Time
}

// Runtime is what the tracker asks.
type Runtime interface {
	List(ctx context.Context) ([]Container, error)
	Details(ctx context.Context, id string) (Details, error)
	Sandbox(ctx context.Context, id string) (labels, annotations map[string]string, err error)
}

// Details of a container, which only a call of its own tells.
type Details struct {
	// CgroupsPath of the OCI spec.
	CgroupsPath string
	// Image by name.
	Image string
}

// Tracker follows the node's containers.
type Tracker struct {
	Runtime   Runtime
	Hierarchy *Hierarchy
	Log       logr.Logger

	// proc is hostProc when it is empty.
	proc     string
	hostOnce sync.Once
	host     *root.Root

	mu       sync.RWMutex
	synced   bool
	problem  error
	live     map[string]Container
	byCgroup map[compile.CgroupID]known
	missing  map[string]error
	// failures of containers that are not known yet; of the goroutine of sync alone.
	failures map[string]failure
}

// failure to find out about a container.
type failure struct {
	times int
	err   error
	// again is when it is tried the next time.
	again time.Time
}

type known struct {
	container Container
	gone      time.Time
}

// Run follows the containers until ctx ends. It calls changed after their set changed, and once after the runtime's
// first answer.
func (t *Tracker) Run(ctx context.Context, changed func()) {
	hints := make(chan struct{}, 1)
	hint := func() {
		select {
		case hints <- struct{}{}:
		default:
		}
	}
	var watching sync.WaitGroup
	watching.Go(func() { t.keepWatching(ctx, hint) })
	defer watching.Wait()
	tick := time.NewTicker(resync)
	defer tick.Stop()
	for {
		if t.sync(ctx, changed) || t.rootsMoved() {
			changed()
		}
		if !t.await(ctx, tick.C, hints, changed) {
			return
		}
	}
}

// await ends when the runtime is to be asked again. Meanwhile it looks for the roots of containers that are starting.
func (t *Tracker) await(ctx context.Context, tick <-chan time.Time, hints <-chan struct{}, changed func()) bool {
	for {
		found, missing := t.findRoots(time.Now())
		if found {
			changed()
		}
		var again <-chan time.Time
		if missing {
			again = time.After(rootRetry)
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick:
			return true
		case <-hints:
			time.Sleep(settle)
			return true
		case <-again:
		}
	}
}

// keepWatching makes up for a watch that ends (no inotify watches left, for instance) by trying again; meanwhile the
// resync goes on.
func (t *Tracker) keepWatching(ctx context.Context, hint func()) {
	for ctx.Err() == nil {
		if err := t.Hierarchy.watch(ctx, hint); err != nil {
			t.Log.Error(err, "new containers are seen by asking the runtime every second")
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Second):
		}
	}
}

// Snapshot gives the containers whose cgroup is known, by id, and whether the runtime has answered at all.
func (t *Tracker) Snapshot() ([]Container, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]Container, 0, len(t.live))
	for _, c := range t.live {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Container) int { return cmp.Compare(a.ID, b.ID) })
	return list, t.synced
}

// ByCgroup gives the container of a cgroup, up to a minute after its end.
func (t *Tracker) ByCgroup(id compile.CgroupID) (Container, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	k, found := t.byCgroup[id]
	return k.container, found
}

// Host gives the cgroup of the whole node, and those that hold all Pods.
func (t *Tracker) Host() (compile.Cgroup, []compile.Cgroup, error) {
	root, err := t.Hierarchy.lookup("/")
	if err != nil {
		return root, nil, err
	}
	trees, err := t.Hierarchy.podTrees()
	return root, trees, err
}

// IsHost needs no file system: OpenHierarchy has seen that the top is the kernel's own.
func (t *Tracker) IsHost(id compile.CgroupID) bool { return id == cgroup.Root }

// Problem is why the containers are not known in full: the runtime does not answer, or a cgroup was not found.
func (t *Tracker) Problem() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.problem != nil {
		return t.problem
	}
	for _, id := range slices.Sorted(maps.Keys(t.missing)) {
		return t.missing[id]
	}
	return nil
}

// sync compares what is known with what the runtime says. Without an answer, everything stays as it is. It calls added
// after each container that it got to know, so that none waits for the calls about the next.
func (t *Tracker) sync(ctx context.Context, added func()) bool {
	now := time.Now()
	listed, err := t.Runtime.List(ctx)
	if ctx.Err() != nil || t.failed(err) {
		return false
	}
	live := make(map[string]Container, len(listed))
	missing, failures := map[string]error{}, map[string]failure{}
	slices.SortStableFunc(listed, func(a, b Container) int { return cmp.Compare(t.failures[a.ID].times, t.failures[b.ID].times) })
	for _, c := range listed {
		found, f := t.try(ctx, c, now)
		switch {
		case f.err == nil:
			live[c.ID] = found
			if t.add(found) {
				added()
			}
		case ctx.Err() != nil:
			return false
		default:
			failures[c.ID] = f
			if c.Running && f.times > 1 {
				missing[c.ID] = f.err
			}
		}
	}
	t.failures = failures
	return t.store(live, missing, now)
}

// try completes a container, unless that failed a short while ago.
func (t *Tracker) try(ctx context.Context, c Container, now time.Time) (Container, failure) {
	f := t.failures[c.ID]
	if now.Before(f.again) {
		return c, f
	}
	found, err := t.complete(ctx, c, now)
	if f.err = err; err == nil {
		return found, f
	}
	var notYet *CgroupNotFoundError
	if !c.Running && errors.As(err, &notYet) {
		return c, f // its cgroup is made any moment, and the watch hints at it
	}
	f.times++
	if f.times > 1 {
		f.again = time.Now().Add(min(backoff<<min(f.times-2, 10), backoffMost))
	}
	return c, f
}

// add makes a container known while others are still asked about. Before the first answer is whole, none is: a part of
// the containers would look like all of them.
func (t *Tracker) add(c Container) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, found := t.live[c.ID]; found || !t.synced {
		return false
	}
	t.live[c.ID], t.byCgroup[c.Cgroup.ID] = c, known{container: c}
	t.Log.V(1).Info("container", "id", c.ID, "pod", c.Pod.Namespace+"/"+c.Pod.Name, "cgroup", c.Cgroup.Path)
	return true
}

func (t *Tracker) failed(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && t.problem == nil {
		t.Log.Error(err, "the containers known so far stay as they are")
	}
	if err == nil && t.problem != nil {
		t.Log.Info("the runtime answers again")
	}
	t.problem = err
	return err != nil
}

// complete adds what only separate calls tell; once it is known, it does not change.
func (t *Tracker) complete(ctx context.Context, c Container, now time.Time) (Container, error) {
	t.mu.RLock()
	old, found := t.live[c.ID]
	t.mu.RUnlock()
	if found {
		old.Running = c.Running
		return t.withRoot(old), nil
	}
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	details, err := t.Runtime.Details(asked, c.ID)
	if err != nil {
		return c, err
	}
	if c.Image == "" {
		c.Image = details.Image
	}
	if c.Cgroup, err = t.Hierarchy.Resolve(c.ID, details.CgroupsPath, c.Running); err != nil {
		return c, err
	}
	if c.Labels, c.Annotations, err = t.Runtime.Sandbox(asked, c.Sandbox); err != nil {
		return c, err
	}
	c.Seen = now
	return t.withRoot(c), nil
}

// store replaces what is known and says whether anything changed that a policy may depend on.
func (t *Tracker) store(live map[string]Container, missing map[string]error, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := !t.synced || len(live) != len(t.live)
	if t.byCgroup == nil {
		t.byCgroup = map[compile.CgroupID]known{}
	}
	for id, c := range live {
		before, found := t.live[id]
		changed = changed || (before.Root == nil) != (c.Root == nil)
		if !found {
			changed = true
			t.Log.V(1).Info("container", "id", id, "pod", c.Pod.Namespace+"/"+c.Pod.Name, "cgroup", c.Cgroup.Path)
		}
		t.byCgroup[c.Cgroup.ID] = known{container: c}
	}
	for id, k := range t.byCgroup {
		if _, found := live[k.container.ID]; found {
			continue
		}
		if k.gone.IsZero() {
			if k.container.Root != nil {
				k.container.Root.Close()
			}
			k.gone, k.container.Root = now, nil
			t.byCgroup[id] = k
		} else if now.Sub(k.gone) > remember {
			delete(t.byCgroup, id)
		}
	}
	for id, err := range missing {
		if before := t.missing[id]; before == nil || before.Error() != err.Error() {
			t.Log.Error(err, "a container runs without policies", "container", id)
		}
	}
	changed = changed || len(missing) != len(t.missing)
	t.live, t.missing, t.synced = live, missing, true
	return changed
}
