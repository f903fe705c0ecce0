// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"sync"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

// retired is how long the rules of an earlier set can be looked up: their last events are still on their way.
const retired = 5 * time.Minute

// ruleTable says what the rule of an event is.
type ruleTable struct {
	mu    sync.RWMutex
	rules map[compile.RuleID]ruleEntry
}

type ruleEntry struct {
	info compile.RuleInfo
	// until is zero for a rule of the set in force, or of the one that is to be.
	until time.Time
}

func newRuleTable() *ruleTable { return &ruleTable{rules: map[compile.RuleID]ruleEntry{}} }

// add makes rules known. It forgets none: until the set that they belong to is in force, the one before it is.
func (t *ruleTable) add(rules map[compile.RuleID]compile.RuleInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, info := range rules {
		t.rules[id] = ruleEntry{info: info}
	}
}

// retire keeps, of all rules but those in force, each for a while.
func (t *ruleTable) retire(inForce map[compile.RuleID]compile.RuleInfo, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, entry := range t.rules {
		if _, found := inForce[id]; found {
			continue
		}
		if entry.until.IsZero() {
			entry.until = now.Add(retired)
			t.rules[id] = entry
		} else if now.After(entry.until) {
			delete(t.rules, id)
		}
	}
}

func (t *ruleTable) lookup(id compile.RuleID) *compile.RuleInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	entry, found := t.rules[id]
	if !found {
		return nil
	}
	return &entry.info
}

// handle makes an event an alert, or a log. It runs on the reader of the kernel's buffer and never waits.
func (a *Agent) handle(e enforcer.Event) {
	a.readEvents.Add(1)
	if e.IsLog() {
		a.log(e)
		return
	}
	rule := a.rules.lookup(e.Rule)
	workload := a.workload(e.Cgroup)
	known := rule != nil || e.Rule == enforcer.RuleUnresolved || e.Rule == enforcer.RulePosture
	a.metrics.observeEvent(e, known, workload.Host || workload.ContainerID != "")
	alert := telemetry.New(a.node(), e, workload, rule)
	a.look(alert, e)
	a.deliver(a.throttle.Pass(telemetry.Source{Cgroup: e.Cgroup, Rule: e.Rule}, alert, time.Now()))
}

// log makes an event a log, where a client asked for logs. Its process is not looked at: that is for alerts, of which
// fewer come.
func (a *Agent) log(e enforcer.Event) {
	a.logs.Add(1)
	if a.telemetry.WantsLogs() {
		a.telemetry.Log(telemetry.NewLog(a.node(), e, a.workload(e.Cgroup)))
	}
}

// node is what telemetry says of this one.
func (a *Agent) node() telemetry.Node {
	return telemetry.Node{
		Cluster: a.o.Cluster, Name: a.o.Node, ID: a.snapshot().nodeID, Version: a.o.Version, Observing: a.observing(),
	}
}

// look adds what is known of the process from elsewhere than its event, or why that is nothing.
func (a *Agent) look(alert *telemetry.Alert, e enforcer.Event) {
	if a.o.Look == nil {
		return
	}
	found, err := a.o.Look(e.HostPID, e.Time)
	if err != nil {
		alert.EventData["ProcessUnknown"] = err.Error()
		return
	}
	alert.Cwd, alert.TTY = found.Cwd, found.TTY
}

// workload says which container an event happened in; the kernel names the cgroup that the policy was bound to.
func (a *Agent) workload(cgroup compile.CgroupID) telemetry.Workload {
	c, found := a.o.Containers.ByCgroup(cgroup)
	if !found {
		return telemetry.Workload{Host: a.o.Containers.IsHost(cgroup)}
	}
	w := telemetry.Workload{
		Namespace: c.Pod.Namespace, Pod: c.Pod.Name, Container: c.Name, ContainerID: c.ID, Image: c.Image,
		Labels: withoutKubernetes(c.Labels),
	}
	if pod := a.watches.pod(context.Background(), c.Pod.Namespace, c.Pod.Name); pod != nil {
		w.Labels, w.Owner = pod.Labels, telemetry.OwnerOf(pod)
	}
	return w
}
