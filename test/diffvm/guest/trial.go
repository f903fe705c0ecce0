// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/test/diff/example"
	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

// machine is what all trials have in common.
type machine struct {
	core *core
	// policed and watched are the cgroups of the two sides.
	policed, watched *cgroup.Group
	worker           []byte
	renamesTwice     bool
	gaps             map[string]int

	// started workers, and how long that took.
	started  int
	starting time.Duration
}

// trial is one workload in force. Everything is tried twice: on the watched side, where all of it is audited and nothing
// denied, so that it ends as the kernel itself has it; then on the policed one.
type trial struct {
	m                *machine
	workload         model.Workload
	compiled         compile.Output
	planner          *planner
	policed, watched *side
	marker           wire.Attempt
	// dropped are rules that the core cannot hold.
	dropped int
	ended   bool
}

// begin puts a workload in force: its policies go the way that those of an agent go, from the API's objects on.
func (m *machine) begin(ctx context.Context, w model.Workload) (t *trial, err error) {
	t = &trial{m: m}
	w = parsed(w)
	f := fixedOf(&w)
	if t.watched, f.sources, err = m.side(m.watched, f); err != nil {
		return nil, err
	}
	if t.policed, f.sources, err = m.side(m.policed, f); err != nil {
		return nil, errors.Join(err, t.watched.close())
	}
	t.planner = newPlanner(f, w.Root)
	t.planner.renamesTwice, t.planner.missing, t.planner.gaps = m.renamesTwice, m.core.missing, m.gaps
	root := t.policed.root()
	defer root.Close()
	t.workload, t.compiled, t.dropped = example.Compile(w, m.policed.Cgroup, root)
	var spy model.Workload
	spy, t.marker = watcher(w)
	both := compile.Compile([]compile.Workload{
		example.Workload(t.workload, m.policed.Cgroup, root), example.Workload(spy, m.watched.Cgroup, nil),
	}, compile.Everything())
	if err := m.core.apply(ctx, both.Set); err != nil {
		return nil, errors.Join(err, t.end())
	}
	return t, nil
}

func (m *machine) side(group *cgroup.Group, f fixed) (*side, []string, error) {
	s, err := newSide(m, group)
	if err != nil {
		return nil, nil, err
	}
	var sources []string
	if err := s.do(func() (err error) { sources, err = f.build(m.worker); return err }); err != nil {
		return nil, nil, errors.Join(err, s.close())
	}
	return s, sources, nil
}

// end takes the sides away; the policies stay in force for nobody.
func (t *trial) end() error {
	if t.ended {
		return nil
	}
	t.ended = true
	return errors.Join(t.policed.close(), t.watched.close())
}

// parsed is the workload with its policies as they come out of the API's objects.
func parsed(w model.Workload) model.Workload {
	w = example.Clone(w)
	for i := range w.Policies {
		document, _ := model.Parse(example.Policy(w.Policies[i].Policy))
		w.Policies[i].Policy = document.Policy
	}
	return w
}

// fixedOf is what the tree of a workload has. Links that no path leads to are left out, in the workload too.
func fixedOf(w *model.Workload) fixed {
	f := fixed{links: generate.Links{}}
	if links, found := w.Root.(generate.Links); found {
		for from, to := range links {
			if links.Resolve(parent(from)) == parent(from) {
				f.links[from] = to
			}
		}
		w.Root = f.links
	}
	for i := range w.Policies {
		for _, r := range w.Policies[i].Policy.Rules {
			for _, s := range r.Sources {
				f.sources = append(f.sources, f.links.Resolve(s.Path))
			}
		}
	}
	slices.Sort(f.sources)
	f.sources = slices.Compact(f.sources)
	// More workers prove no more.
	f.sources = f.sources[:min(len(f.sources), 4)]
	f.bind(w)
	return f
}

// bind gives some trees a folder that has two names: the one that a rule is about, and another one.
func (f *fixed) bind(w *model.Workload) {
	const other = "/etc/a"
	for i := range w.Policies {
		for _, r := range w.Policies[i].Policy.Rules {
			at := parent(r.Path)
			if len(r.Path)%4 == 0 && at != "/" && len(at) < 200 && f.links.Resolve(at) == at && f.links.Resolve(other) == other &&
				!strings.HasPrefix(at+"/", other) && !strings.HasPrefix(other, at+"/") {
				f.bindFrom, f.bindTo = other, at
				return
			}
		}
	}
}

// watcher is the workload that audits everything that can be watched beside w, and what surely sends an event there.
// Capabilities are needed for so much that they are watched where they alone are judged.
func watcher(w model.Workload) (model.Workload, wire.Attempt) {
	p := policy.Policy{Ref: policy.Ref{Kind: policy.KindClusterPolicy, Name: "watch"}, Generation: 1}
	add := func(r policy.Rule) {
		r.At, r.Action = fmt.Sprintf("rule[%d]", len(p.Rules)), policy.ActionAudit
		p.Rules = append(p.Rules, r)
	}
	marker := wire.Attempt{Act: "socket", Args: []string{"1", "5", "1"}, Drop: -1}
	if judgesCapabilities(w) {
		for name := range uses() {
			add(policy.Rule{Domain: policy.DomainCapabilities, Capability: name})
		}
		marker = wire.Attempt{Act: "cap_sys_chroot", Drop: -1}
	} else {
		add(policy.Rule{Domain: policy.DomainFile, Directory: "/", Recursive: true})
		add(policy.Rule{Domain: policy.DomainProcess, Directory: "/", Recursive: true})
		add(policy.Rule{Domain: policy.DomainNetwork, Protocol: "all"})
	}
	return model.Workload{Policies: []model.Selected{{Policy: p}}}, marker
}

func judgesCapabilities(w model.Workload) bool {
	for i := range w.Policies {
		if slices.ContainsFunc(w.Policies[i].Policy.Rules, func(r policy.Rule) bool { return r.Domain == policy.DomainCapabilities }) {
			return true
		}
	}
	return false
}

// sourceOf is the worker that has to do an operation: one that a rule is for, or the first one.
func (t *trial) sourceOf(source string) string {
	if slices.Contains(t.planner.fixed.sources, source) {
		return source
	}
	return firstWorker
}

// outcome of one attempt on both sides.
type outcome struct {
	natural, kernel, model syscall.Errno
	seen, got, want        []report
	reasons                []string
	// asked is how many hooks the kernel came to in the natural attempt, of all.
	asked, hooks int
}

// try does one attempt on both sides. settle waits for events that nobody expects.
func (t *trial) try(a attempt, settle bool) (o outcome, err error) {
	key := workerKey{a.op.Source, a.op.Terminal}
	if err := t.both(func() error { return prepare(a.places) }); err != nil {
		return o, impossible(err.Error())
	}
	if o.natural, err = t.watched.try(key, a.Attempt); err != nil {
		return o, err
	}
	if o.seen, err = t.watch(key, a.hooks, o.natural); err != nil {
		return o, err
	}
	o.hooks, o.asked = len(a.hooks), asked(a.hooks, o.seen, o.natural)
	o.model, o.want, o.reasons = expected(t.workload, a.hooks, o.asked, o.natural)
	if o.kernel, err = t.policed.try(key, a.Attempt); err != nil {
		return o, err
	}
	for _, e := range t.m.core.take(t.m.policed.ID, len(o.want), settle) {
		o.got = append(o.got, t.reportOf(e, key.path))
	}
	return o, t.both(func() error { return t.planner.fixed.clear(a.places) })
}

func (t *trial) both(f func() error) error { return errors.Join(t.watched.do(f), t.policed.do(f)) }

// watch gives what was seen of an attempt on the watched side. Of one that failed it is not known how much that is, so
// something is done behind it that is seen for sure.
func (t *trial) watch(key workerKey, hooks []hook, natural syscall.Errno) ([]report, error) {
	want := 0
	for _, h := range hooks {
		want += len(h.seen())
	}
	var events []sensor.Event
	if natural == 0 {
		events = t.m.core.take(t.m.watched.ID, want, false)
	} else {
		if _, err := t.watched.try(key, t.marker); err != nil {
			return nil, err
		}
		for len(events) == 0 || !isMarker(events[len(events)-1]) {
			more := t.m.core.take(t.m.watched.ID, 1, false)
			if len(more) == 0 {
				return nil, errors.New("the event of the marker does not come")
			}
			events = append(events, more...)
		}
		events = events[:len(events)-1]
	}
	var seen []report
	for _, e := range events {
		seen = append(seen, report{operation: e.Operation, resource: resourceOf(e)})
	}
	return seen, nil
}

func isMarker(e sensor.Event) bool {
	return e.Resource == "family=AF_UNIX type=SOCK_SEQPACKET protocol=1" || e.Resource == "CAP_SYS_CHROOT"
}

// resourceOf is what is compared of a resource: paths and capabilities.
func resourceOf(e sensor.Event) string {
	switch {
	case e.Domain == policy.DomainNetwork || e.Domain == policy.DomainDNS, strings.Contains(e.Resource, "memfd"):
		return ""
	default:
		return e.Resource
	}
}

// reportOf an event of the policed side, with what it says wrongly.
func (t *trial) reportOf(e sensor.Event, source string) report {
	r := report{operation: e.Operation, resource: resourceOf(e), action: e.Action, by: t.named(e.Rule)}
	if e.Denied != (e.Action == policy.ActionBlock) {
		r.by += fmt.Sprintf(" (which says denied: %v)", e.Denied)
	}
	if e.Source != source && e.Operation != sensor.OperationExec {
		r.by += fmt.Sprintf(" (which says it was done by %q)", e.Source)
	}
	return r
}

func (t *trial) named(id compile.RuleID) string {
	switch id {
	case sensor.RulePosture:
		return model.DefaultPosture
	case sensor.RuleUnresolved:
		return model.UnresolvedPath
	}
	info, known := t.compiled.Rules[id]
	if !known {
		return fmt.Sprintf("unknown rule %#x", uint64(id))
	}
	return info.Policy.String() + " " + info.Rule
}

// problem says what is not as it should be, or nothing.
func (o outcome) problem() string {
	var problems []string
	if o.natural == 0 && o.asked < o.hooks {
		problems = append(problems, fmt.Sprintf("the kernel did it, and the core was asked by %d of %d hooks", o.asked, o.hooks))
	}
	if !sameErrno(o.kernel, o.model) {
		problems = append(problems, fmt.Sprintf("the model says %s, the kernel says %s", errnoName(o.model), errnoName(o.kernel)))
	}
	if want, got := sorted(o.want), sorted(o.got); !slices.Equal(want, got) {
		problems = append(problems, fmt.Sprintf("the model's events are\n    %s\n  the kernel's are\n    %s", lines(want), lines(got)))
	}
	return strings.Join(problems, "\n  ")
}

// sameErrno: nobody listens, which a connection finds out sooner or later.
func sameErrno(a, b syscall.Errno) bool {
	inProgress := func(e syscall.Errno) bool { return e == unix.EINPROGRESS || e == unix.ECONNREFUSED }
	return a == b || inProgress(a) && inProgress(b)
}

func errnoName(e syscall.Errno) string {
	switch e {
	case 0:
		return "success"
	case wire.Killed:
		return "SIGKILL"
	default:
		return unix.ErrnoName(e)
	}
}

func sorted(reports []report) []string {
	var out []string
	for _, r := range reports {
		out = append(out, fmt.Sprintf("%s: %s %q by %s", r.action, r.operation, r.resource, r.by))
	}
	slices.Sort(out)
	return out
}

func lines(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, "\n    ")
}
