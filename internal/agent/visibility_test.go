// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// visible tells, for each cgroup that is bound, what is logged there: "11: process,file".
func visible(in inputs) []string {
	p := planner{system: "kubearmor", parsed: map[policyKey]*parsedPolicy{}}
	out := compile.Compile(p.workloads(in), enforcer.Abilities())
	var lines []string
	for cgroup, id := range out.Set.Bindings {
		for _, profile := range out.Set.Profiles {
			if profile.ID != id {
				continue
			}
			var words []string
			for domain := compile.DomainProcess; domain <= compile.DomainSyscalls; domain++ {
				if profile.Visible.Has(domain) {
					words = append(words, domain.String())
				}
			}
			lines = append(lines, fmt.Sprintf("%d: %s, %d rules", cgroup.ID, strings.Join(words, ","), len(profile.Rules)))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestWhatIsVisibleByWhichAnnotation(t *testing.T) {
	says := func(words string) map[string]string { return map[string]string{operatorv1.AnnotationVisibility: words} }
	linux := map[string]string{"os": "linux"}
	// given gives the node with these annotations and settings, and Pods in three namespaces.
	given := func(node, namespace, pod, defaults string) inputs {
		in := inputs{
			root: compile.Cgroup{ID: 1}, podTrees: []compile.Cgroup{{ID: 2, Level: 1}}, node: object("n", linux, says(node)),
			containers: []containers.Container{running("shop", "web", "app", 11), running("kube-system", "dns", "dns", 12)},
			namespaces: map[string]*metav1.PartialObjectMetadata{"shop": object("shop", nil, says(namespace)), "kube-system": object("kube-system", nil, nil)},
			pods:       map[types.NamespacedName]*metav1.PartialObjectMetadata{{Namespace: "shop", Name: "web"}: object("web", nil, says(pod))},
			settings:   map[string]string{"visibility": defaults},
		}
		return in
	}
	policed := given("", "", "", "process")
	policed.clusterPolicies = []securityv1.KubeArmorClusterPolicy{clusterPolicy()}
	disabled := given("", "file", "", "process")
	disabled.pods[types.NamespacedName{Namespace: "shop", Name: "web"}].Annotations[operatorv1.AnnotationPolicy] = "disabled"
	asked := given("", "", "", "process")
	asked.namespaces["kube-system"].Annotations = says("network")
	takenOut := given("file", "", "", "")
	takenOut.node.Annotations[operatorv1.AnnotationPolicy] = "disabled"
	tests := map[string]struct {
		in   inputs
		want []string
	}{
		"nothing unless asked for":                  {given("", "", "", ""), nil},
		"the KubeArmorConfig's default is for Pods": {given("", "", "", "process, file"), []string{"11: process,file, 0 rules"}},
		"the namespace overrides it":                {given("", "network", "", "process"), []string{"11: network, 0 rules"}},
		"the Pod overrides that":                    {given("", "network", "capabilities,dns", "process"), []string{"11: capabilities,dns, 0 rules"}},
		"none is none":                              {given("", "network", "none", "process"), nil},
		"system namespaces where that is asked for": {asked, []string{"11: process, 0 rules", "12: network, 0 rules"}},
		"the node's own processes, and no Pod's":    {given("process", "", "", ""), []string{"11: , 0 rules", "12: , 0 rules", "1: process, 0 rules", "2: , 0 rules"}},
		"the node's own processes beside its Pods'": {given("process", "file", "", ""), []string{"11: file, 0 rules", "12: , 0 rules", "1: process, 0 rules", "2: , 0 rules"}},
		"a node whose policies are off":             {takenOut, []string{"11: , 0 rules", "12: , 0 rules", "1: file, 0 rules", "2: , 0 rules"}},
		"a Pod whose policies are off":              {disabled, []string{"11: file, 0 rules"}},
		"beside policies":                           {policed, []string{"11: process, 1 rules"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, visible(tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLogsAreServedAndNoAlerts of what is merely visible, and each is in the account.
func TestLogsAreServedAndNoAlerts(t *testing.T) {
	n := newNode(t, bpf)
	n.telemetry = freeAddress(t)
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	conn, err := grpc.NewClient(n.telemetry, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := feeder.NewLogServiceClient(conn).WatchLogs(ctx, &feeder.RequestMessage{Filter: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	n.kernel.events <- enforcer.Event{Time: time.Now(), Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Cgroup: 1, Resource: "/etc/motd"}
	log, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if log.Operation != "File" || log.Resource != "/etc/motd" || log.Result != "Passed" || log.HostName == "" {
		t.Errorf("log: %s", log)
	}
	n.stop()
	if written := n.alerts.String(); written != "" {
		t.Errorf("alerts: %s", written)
	}
}

func TestLogsAreInTheAccount(t *testing.T) {
	a, _ := telling(t, Options{})
	for _, action := range []compile.Action{compile.ActionNone, compile.ActionAllow, compile.ActionAudit} {
		a.handle(enforcer.Event{Time: time.Now(), Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Action: action, Rule: 5, Cgroup: 1})
	}
	want := "stage=kernel generated=3 delivered=3; stage=logs generated=2 delivered=2; stage=throttle generated=1 delivered=1; stage=stdout generated=1 waiting=1"
	if got := shortAccount(a); got != want {
		t.Errorf("account: %s, want %s", got, want)
	}
}
