// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

func open(action compile.Action, denied bool) enforcer.Event {
	return enforcer.Event{
		Time: time.Unix(1700000000, 5000).UTC(), Domain: compile.DomainFile, Operation: enforcer.OperationOpen,
		Action: action, Denied: denied, Rule: 0xabc, HostPID: 300, HostPPID: 200, PID: 3, PPID: 2, UID: 1000, Comm: "cat",
		Source: "/usr/bin/cat", ParentSource: "/usr/bin/bash", Resource: "/etc/shadow", Flags: 0o2001,
	}
}

func rule(action, effective compile.Action) *compile.RuleInfo {
	return &compile.RuleInfo{
		Policy: compile.Ref{Kind: policy.KindPolicy, Namespace: "shop", Name: "p"}, Severity: 7, Tags: []string{"a", "b"},
		Message: "hands off", Action: action, Effective: effective, Rule: "spec.file.matchPaths[0]",
	}
}

// TestAlertAsClientsReadIt holds the whole line: its names and their forms are a contract.
func TestAlertAsClientsReadIt(t *testing.T) {
	node := Node{Cluster: "default", Name: "n1", ID: "uid", Version: "v1"}
	workload := Workload{
		Namespace: "shop", Pod: "web-1", Container: "app", ContainerID: "c0ffee", Image: "app:1",
		Labels: map[string]string{"b": "2", "a": "1"}, Owner: &Owner{Ref: "Deployment", Name: "web", Namespace: "shop"},
	}
	var line bytes.Buffer
	if err := feeder.WriteJSON(&line, New(node, open(compile.ActionBlock, true), workload, rule(compile.ActionBlock, compile.ActionBlock))); err != nil {
		t.Fatal(err)
	}
	want := `{"Timestamp":1700000000,"UpdatedTime":"2023-11-14T22:13:20.000005Z","ClusterName":"default","HostName":"n1",` +
		`"NamespaceName":"shop","PodName":"web-1","ContainerID":"c0ffee","ContainerName":"app","HostPID":300,"PPID":2,"PID":3,"UID":1000,` +
		`"PolicyName":"p","Severity":"7","Tags":"a,b","Message":"hands off","Type":"MatchedPolicy","Source":"/usr/bin/cat",` +
		`"Operation":"File","Resource":"/etc/shadow","Data":"lsm=FILE_OPEN flags=O_WRONLY|O_APPEND","Action":"Block",` +
		`"Result":"Permission denied","ContainerImage":"app:1","ParentProcessName":"/usr/bin/bash","ProcessName":"/usr/bin/cat",` +
		`"HostPPID":200,"Enforcer":"BPFLSM","Labels":"a=1,b=2","ATags":["a","b"],` +
		`"Owner":{"Ref":"Deployment","Name":"web","Namespace":"shop"},"ExecEvent":{"ExecutableName":"cat"},"KubeArmorVersion":"v1","NodeID":"uid",` +
		`"EventData":{"Comm":"cat","PolicyKind":"KubeArmorPolicy","Rule":"abc","RulePath":"spec.file.matchPaths[0]"}}`
	if diff := cmp.Diff(want, line.String()); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
}

func TestVerdictsInWords(t *testing.T) {
	block, audit := compile.ActionBlock, compile.ActionAudit
	tests := map[string]struct {
		event     enforcer.Event
		rule      *compile.RuleInfo
		observing bool
		want      string
	}{
		"a denial":                                {open(block, true), rule(block, block), false, "Block, Permission denied, BPFLSM, p"},
		"an audit":                                {open(audit, false), rule(audit, audit), false, "Audit, Passed, BPFLSM, p"},
		"what would be denied on a usable node":   {open(block, false), rule(block, block), true, "Audit (Block), Passed, eBPF Monitor, p"},
		"what an audited Pod's policy blocks":     {open(audit, false), rule(block, audit), false, "Audit (Block), Passed, BPFLSM, p"},
		"a rule whose policy is gone":             {open(block, true), nil, false, "Block, Permission denied, BPFLSM, Unknown"},
		"an audit of a rule whose policy is gone": {open(audit, false), nil, true, "Audit, Passed, eBPF Monitor, Unknown"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := New(Node{Observing: tt.observing}, tt.event, Workload{}, tt.rule)
			if got := strings.Join([]string{a.Action, a.Result, a.Enforcer, a.PolicyName}, ", "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestUnresolvedPathSaysSo(t *testing.T) {
	e := open(compile.ActionBlock, true)
	e.Rule = enforcer.RuleUnresolved
	if a := New(Node{}, e, Workload{}, nil); a.PolicyName != "UnresolvedPath" || !strings.Contains(a.Message, "could not be resolved") {
		t.Errorf("alert = %+v", a)
	}
}

func TestPostureSaysSo(t *testing.T) {
	for name, tt := range map[string]struct {
		event enforcer.Event
		want  string
	}{
		"block":                    {open(compile.ActionBlock, true), "DefaultPosture, Block, Permission denied"},
		"audit":                    {open(compile.ActionAudit, false), "DefaultPosture, Audit, Passed"},
		"block on an unusable LSM": {open(compile.ActionBlock, false), "DefaultPosture, Audit (Block), Passed"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.event.Rule = enforcer.RulePosture
			a := New(Node{}, tt.event, Workload{}, nil)
			if got := strings.Join([]string{a.PolicyName, a.Action, a.Result}, ", "); got != tt.want || !strings.Contains(a.Message, "No rule allows") {
				t.Errorf("got %s (%s), want %s", got, a.Message, tt.want)
			}
		})
	}
}

func TestOperationsAreThoseOfTheDomains(t *testing.T) {
	for name, tt := range map[string]struct {
		domain    compile.Domain
		operation string
		want      string
	}{
		"a file that is deleted": {compile.DomainFile, enforcer.OperationUnlink, "File lsm=PATH_UNLINK Permission denied"},
		"a file that is made":    {compile.DomainFile, enforcer.OperationCreate, "File lsm=PATH_MKNOD Permission denied"},
		"attributes":             {compile.DomainFile, enforcer.OperationSetattr, "File lsm=INODE_SETATTR Permission denied"},
		"a socket":               {compile.DomainNetwork, enforcer.OperationSocket, "Network lsm=SOCKET_CREATE Permission denied"},
		"a connection":           {compile.DomainNetwork, enforcer.OperationConnect, "Network lsm=SOCKET_CONNECT Permission denied"},
		"a name":                 {compile.DomainDNS, enforcer.OperationLookup, "Network hook=CGROUP_SKB_EGRESS Operation not permitted"},
		"a capability":           {compile.DomainCapabilities, enforcer.OperationCapable, "Capabilities lsm=CAPABLE Operation not permitted"},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(compile.ActionBlock, true)
			e.Domain, e.Operation = tt.domain, tt.operation
			a := New(Node{}, e, Workload{}, nil)
			if got := a.Operation + " " + a.Data + " " + a.Result; got != tt.want || a.ProcessName != e.Source || a.ParentProcessName != e.ParentSource {
				t.Errorf("got %s of %s, want %s", got, a.ProcessName, tt.want)
			}
		})
	}
}

func TestASystemCallIsNamed(t *testing.T) {
	e := open(compile.ActionAudit, false)
	e.Domain, e.Operation, e.Resource = compile.DomainSyscalls, enforcer.OperationSyscall, "process_vm_writev"
	a := New(Node{}, e, Workload{}, rule(compile.ActionAudit, compile.ActionAudit))
	got := []string{a.Operation, a.Resource, a.Data, a.Action, a.Result}
	want := []string{"Syscall", "process_vm_writev", "syscall=SYS_PROCESS_VM_WRITEV", "Audit", "Passed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExecNamesTheNewProcess(t *testing.T) {
	e := open(compile.ActionBlock, true)
	e.Operation, e.Resource, e.Source = enforcer.OperationExec, "/bin/sh", "/usr/bin/app"
	a := New(Node{}, e, Workload{Host: true}, rule(compile.ActionBlock, compile.ActionBlock))
	got := []string{a.Operation, a.Data, a.Source, a.ProcessName, a.ParentProcessName, a.Type}
	want := []string{"Process", "lsm=SECURITY_BPRM_CHECK", "/usr/bin/app", "/bin/sh", "/usr/bin/app", "MatchedHostPolicy"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOwner(t *testing.T) {
	pod := func(kind, name string, labels map[string]string) metav1.Object {
		p := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: labels}}
		if kind != "" {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: ptr.To(true)}}
		}
		return p
	}
	hash := map[string]string{"pod-template-hash": "5d9"}
	tests := map[string]struct {
		pod  metav1.Object
		want string
	}{
		"a Pod of its own":                      {pod("", "", nil), "Pod web-1 shop"},
		"a Deployment's":                        {pod("ReplicaSet", "web-5d9", hash), "Deployment web shop"},
		"a ReplicaSet's that was made by hand":  {pod("ReplicaSet", "web", nil), "ReplicaSet web shop"},
		"a ReplicaSet's with a label like that": {pod("ReplicaSet", "web", hash), "ReplicaSet web shop"},
		"a StatefulSet's":                       {pod("StatefulSet", "db-5d9", hash), "StatefulSet db-5d9 shop"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := OwnerOf(tt.pod)
			if got := o.Ref + " " + o.Name + " " + o.Namespace; got != tt.want {
				t.Errorf("owner = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestQueueCountsWhatItDrops(t *testing.T) {
	q := NewQueue(2)
	for range 5 {
		q.Offer(&Alert{PolicyName: "p"})
	}
	if q.Dropped() != 3 {
		t.Errorf("dropped = %d, want 3", q.Dropped())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	if err := q.Run(ctx, &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 2 {
		t.Errorf("%d lines were written at the end, want the 2 that waited", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestQueueCountsWhatCannotBeWritten(t *testing.T) {
	q := NewQueue(2)
	q.Offer(&Alert{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for q.Dropped() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if err := q.Run(ctx, brokenWriter{}); err != nil {
		t.Errorf("a reader that went away ended the agent: %v", err)
	}
}

func TestFloodOfAuditsDropsNoDenial(t *testing.T) {
	q := NewQueue(2)
	for range 5 {
		q.Offer(&Alert{Result: resultPassed})
	}
	q.Offer(&Alert{Action: actionBlock, Result: resultNotPermitted})
	if q.Dropped() != 3 {
		t.Errorf("dropped = %d, want 3 audits", q.Dropped())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	if err := q.Run(ctx, &out); err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(out.String(), "\n"); !strings.Contains(first, resultNotPermitted) || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("written, the denial first?\n%s", out.String())
	}
}

// TestStandardOutputsIdentity: written, lost at a broken writer or dropped for want of place; nothing else.
func TestStandardOutputsIdentity(t *testing.T) {
	for name, tt := range map[string]struct {
		w    io.Writer
		want fanout.Count
	}{
		"a reader":              {io.Discard, fanout.Count{Generated: 5, Delivered: 2, Dropped: 3}},
		"a reader that is gone": {brokenWriter{}, fanout.Count{Generated: 5, Dropped: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			q := NewQueue(2)
			for range 5 {
				q.Offer(&Alert{})
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := q.Run(ctx, tt.w); err != nil {
				t.Fatal(err)
			}
			if c := q.Count(); c != tt.want {
				t.Errorf("count: %s; want %s", c, tt.want)
			}
		})
	}
}

func TestNamesThatAreNoTextCanBeSent(t *testing.T) {
	e := open(compile.ActionBlock, true)
	e.Resource, e.Source, e.Comm = "/tmp/\xff\xfe\u00e9", "/bin/\x80", "\xc3"
	a := New(Node{}, e, Workload{}, nil)
	if _, err := proto.Marshal(a); err != nil || a.Resource != `/tmp/\xff\xfeé` || a.Source != `/bin/\x80` {
		t.Errorf("%q by %q: %v", a.Resource, a.Source, err)
	}
}

func TestAlertsSayWhatIsNotKnown(t *testing.T) {
	e := open(compile.ActionBlock, true)
	e.Operation, e.Unresolved, e.ParentUnresolved = enforcer.OperationExec, "path_too_long", "path_fault"
	want := map[string]string{
		"Rule": "abc", "Comm": "cat", "ResourceUnresolved": "path_too_long", "ParentUnresolved": "path_fault",
		"ArgsUnknown": "the kernel's event carries no arguments",
	}
	if diff := cmp.Diff(want, New(Node{}, e, Workload{}, nil).EventData); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
