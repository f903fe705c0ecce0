// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// TestLogAsClientsReadIt holds the whole line: its names and their forms are a contract.
func TestLogAsClientsReadIt(t *testing.T) {
	node := Node{Cluster: "default", Name: "n1", ID: "uid", Version: "v1"}
	workload := Workload{
		Namespace: "shop", Pod: "web-1", Container: "app", ContainerID: "c0ffee", Image: "app:1",
		Labels: map[string]string{"b": "2", "a": "1"}, Owner: &Owner{Ref: "Deployment", Name: "web", Namespace: "shop"},
	}
	var line bytes.Buffer
	if err := feeder.WriteJSON(&line, NewLog(node, open(compile.ActionNone, false), workload)); err != nil {
		t.Fatal(err)
	}
	want := `{"Timestamp":1700000000,"UpdatedTime":"2023-11-14T22:13:20.000005Z","ClusterName":"default","HostName":"n1",` +
		`"NamespaceName":"shop","PodName":"web-1","ContainerID":"c0ffee","ContainerName":"app","HostPID":300,"PPID":2,"PID":3,"UID":1000,` +
		`"Type":"ContainerLog","Source":"/usr/bin/cat","Operation":"File","Resource":"/etc/shadow",` +
		`"Data":"lsm=FILE_OPEN flags=O_WRONLY|O_APPEND","Result":"Passed","ContainerImage":"app:1","ParentProcessName":"/usr/bin/bash",` +
		`"ProcessName":"/usr/bin/cat","HostPPID":200,"Labels":"a=1,b=2","Owner":{"Ref":"Deployment","Name":"web","Namespace":"shop"},` +
		`"ExecEvent":{"ExecutableName":"cat"},"NodeID":"uid","EventData":{"Comm":"cat"}}`
	if diff := cmp.Diff(want, line.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestLogsNameOperationsAsAlertsDo(t *testing.T) {
	for name, tt := range map[string]struct {
		domain    compile.Domain
		operation string
		host      bool
		want      string
	}{
		"a program":                    {compile.DomainProcess, enforcer.OperationExec, false, "ContainerLog Process lsm=SECURITY_BPRM_CHECK /etc/shadow of /usr/bin/cat"},
		"a connection":                 {compile.DomainNetwork, enforcer.OperationConnect, false, "ContainerLog Network lsm=SOCKET_CONNECT /usr/bin/cat of /usr/bin/bash"},
		"a name":                       {compile.DomainDNS, enforcer.OperationLookup, false, "ContainerLog Network hook=CGROUP_SKB_EGRESS /usr/bin/cat of /usr/bin/bash"},
		"a capability":                 {compile.DomainCapabilities, enforcer.OperationCapable, false, "ContainerLog Capabilities lsm=CAPABLE /usr/bin/cat of /usr/bin/bash"},
		"a file that the node removes": {compile.DomainFile, enforcer.OperationUnlink, true, "HostLog File lsm=PATH_UNLINK /usr/bin/cat of /usr/bin/bash"},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(compile.ActionNone, false)
			e.Domain, e.Operation = tt.domain, tt.operation
			l := NewLog(Node{}, e, Workload{Host: tt.host})
			if got := strings.Join([]string{l.Type, l.Operation, l.Data, l.ProcessName, "of", l.ParentProcessName}, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEndsOfASocketAreInTheData(t *testing.T) {
	e := open(compile.ActionAudit, false)
	e.Local, e.Remote = netip.MustParseAddrPort("10.0.0.7:40312"), netip.MustParseAddrPort("[2001:db8::1]:443")
	for name, data := range map[string]map[string]string{
		"an alert": New(Node{}, e, Workload{}, nil).EventData,
		"a log":    NewLog(Node{}, e, Workload{}).EventData,
	} {
		got := strings.Join([]string{data["LocalIP"], data["LocalPort"], data["RemoteIP"], data["RemotePort"]}, " ")
		if want := "10.0.0.7 40312 2001:db8::1 443"; got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
}
