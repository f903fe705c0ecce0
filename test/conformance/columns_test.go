// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// printed is one object and how `kubectl get` and `kubectl get -o wide` show it.
type printed struct {
	short  string
	object client.Object
	status func()
	// table: the header, and the row of the object.
	table, wide [2]string
}

func testColumns(t *testing.T, srv *server) {
	resources := byShortName(t, srv)
	for _, p := range slices.Concat(printedFleet(), printedPolicies()) {
		t.Run(p.short, func(t *testing.T) {
			if err := srv.Create(t.Context(), p.object); err != nil {
				t.Fatal(err)
			}
			p.status()
			if err := srv.Status().Update(t.Context(), p.object); err != nil {
				t.Fatal(err)
			}
			resource, ok := resources[p.short]
			if !ok {
				t.Fatalf("no kind has the short name; there are %v", resources)
			}
			table, wide := srv.table(t, resource, p.object)
			if diff := cmp.Diff(p.table, table); diff != "" {
				t.Errorf("kubectl get (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(p.wide, wide); diff != "" {
				t.Errorf("kubectl get -o wide (-want +got):\n%s", diff)
			}
		})
	}
}

func conditions(types ...string) []metav1.Condition {
	out := make([]metav1.Condition, 0, len(types))
	for _, name := range types {
		status, reason := metav1.ConditionTrue, "AsExpected"
		if name == "Enforced" {
			status, reason = metav1.ConditionFalse, securityv1.ReasonNotEnforcedOnNodes
		}
		out = append(out, metav1.Condition{Type: name, Status: status, Reason: reason, LastTransitionTime: metav1.Now()})
	}
	return out
}

func printedFleet() []printed {
	config := &operatorv1.KubeArmorConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "fleet"}}
	one := &operatorv1.KubeArmorNode{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}, Spec: nodeSpec()}
	return []printed{
		{
			short: "kac", object: config,
			status: func() {
				config.Status = operatorv1.KubeArmorConfigStatus{
					Conditions: conditions(operatorv1.ConfigReady), Message: "all is well",
					Nodes: operatorv1.NodeCounts{Total: 3, Detected: 3, Enforcing: 2, Degraded: 1},
				}
			},
			table: [2]string{"Name|Ready|Nodes|Enforcing|Degraded|Age", "fleet|True|3|2|1|AGE"},
			wide: [2]string{
				"Name|Ready|Nodes|Enforcing|Degraded|Reason|Message|Age",
				"fleet|True|3|2|1|AsExpected|all is well|AGE",
			},
		},
		{
			short: "kan", object: one,
			status: func() {
				one.Status = operatorv1.KubeArmorNodeStatus{Enforcer: "bpf", Conditions: conditions(operatorv1.NodeEnforcing)}
			},
			table: [2]string{
				"Name|Enforcer|Enforcing|Kernel|Arch|Distro|Pool|Reason|Age",
				"node-1|bpf|True|6.12.0|arm64|Debian|pool-a|AsExpected|AGE",
			},
			wide: [2]string{
				"Name|Enforcer|Enforcing|Kernel|Arch|Distro|Pool|Reason|Probe|Age",
				"node-1|bpf|True|6.12.0|arm64|Debian|pool-a|AsExpected|ProbeSucceeded|AGE",
			},
		},
	}
}

func nodeSpec() operatorv1.KubeArmorNodeSpec {
	yes := operatorv1.Fact{State: operatorv1.FactYes}
	return operatorv1.KubeArmorNodeSpec{
		Pool:  "pool-a",
		Probe: operatorv1.ProbeState{Reason: operatorv1.ReasonProbeSucceeded},
		Facts: &operatorv1.NodeFacts{
			SchemaVersion: operatorv1.FactsSchemaVersion,
			Kernel:        "6.12.0", Arch: "arm64", BootID: "a",
			Distribution: operatorv1.Distribution{Name: "Debian"},
			BTF:          yes, BPFLSM: yes, Observe: yes, AppArmor: yes, Seccomp: yes, BPFFS: yes, SecurityFS: yes, AppArmorFS: yes,
			SELinux: operatorv1.SELinuxFact{Fact: yes}, Runtime: operatorv1.RuntimeFact{Fact: yes},
		},
	}
}

func printedPolicies() []printed {
	meta := metav1.ObjectMeta{Name: "columns"}
	status := securityv1.PolicyStatus{
		Conditions: conditions(securityv1.PolicyAccepted, securityv1.PolicyEnforced), Pods: 5,
		Nodes: securityv1.PolicyNodes{Desired: 3, Enforced: 2, Degraded: 1, Summary: "2/3"},
	}
	audit := securityv1.Report{Action: securityv1.ActionAudit}
	pod := &securityv1.KubeArmorPolicy{ObjectMeta: *meta.DeepCopy(), Spec: securityv1.KubeArmorPolicySpec{Report: audit}}
	pod.Namespace = "default"
	cluster := &securityv1.KubeArmorClusterPolicy{ObjectMeta: meta, Spec: securityv1.KubeArmorClusterPolicySpec{Report: audit}}
	host := &securityv1.KubeArmorHostPolicy{ObjectMeta: meta, Spec: securityv1.KubeArmorHostPolicySpec{
		Report: audit, NodeSelector: securityv1.NodeSelector{MatchLabels: map[string]string{"a": "b"}},
	}}
	narrow := [2]string{"Name|Accepted|Enforced|Nodes|Action|Age", "columns|True|False|2/3|Audit|AGE"}
	wide := [2]string{
		"Name|Accepted|Enforced|Nodes|Action|Pods|Reason|Age",
		"columns|True|False|2/3|Audit|5|NotEnforcedOnNodes|AGE",
	}
	hostWide := [2]string{
		"Name|Accepted|Enforced|Nodes|Action|Reason|Age",
		"columns|True|False|2/3|Audit|NotEnforcedOnNodes|AGE",
	}
	return []printed{
		{short: "ksp", object: pod, status: func() { pod.Status = status }, table: narrow, wide: wide},
		{short: "csp", object: cluster, status: func() { cluster.Status = status }, table: narrow, wide: wide},
		{short: "hsp", object: host, status: func() { host.Status = status }, table: narrow, wide: hostWide},
	}
}

// byShortName asks the server which resource each short name stands for.
func byShortName(t *testing.T, srv *server) map[string]schema.GroupVersionResource {
	t.Helper()
	found := map[string]schema.GroupVersionResource{}
	for _, gv := range []schema.GroupVersion{operatorv1.GroupVersion, securityv1.GroupVersion} {
		list, err := discovery.NewDiscoveryClientForConfigOrDie(srv.config).ServerResourcesForGroupVersion(gv.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			for _, short := range r.ShortNames {
				found[short] = gv.WithResource(r.Name)
			}
			if !strings.Contains(r.Name, "/") && !slices.Contains(r.Categories, "kubearmor") {
				t.Errorf("%s is not listed by `kubectl get kubearmor`", r.Name)
			}
		}
	}
	return found
}

// table is what the server renders for kubectl: narrow columns, and all of them.
func (s *server) table(t *testing.T, resource schema.GroupVersionResource, o client.Object) (narrow, wide [2]string) {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.AcceptContentTypes = "application/json;as=Table;v=v1;g=meta.k8s.io"
	gv := resource.GroupVersion()
	config.GroupVersion, config.APIPath = &gv, "/apis"
	config.NegotiatedSerializer = serializer.NewCodecFactory(s.Scheme()).WithoutConversion()
	c, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.Get().NamespaceIfScoped(o.GetNamespace(), o.GetNamespace() != "").Resource(resource.Resource).Name(o.GetName()).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rendered metav1.Table
	decode(t, raw, &rendered)
	if len(rendered.Rows) != 1 {
		t.Fatalf("the server did not render a table of one row: %s", raw)
	}
	return columns(rendered, 0), columns(rendered, 1)
}

// columns up to a priority, as header and row. The age is not the same in two runs.
func columns(table metav1.Table, priority int32) [2]string {
	var header, row []string
	for i, column := range table.ColumnDefinitions {
		if column.Priority > priority {
			continue
		}
		cell := fmt.Sprint(table.Rows[0].Cells[i])
		if column.Name == "Age" {
			cell = "AGE"
		}
		header, row = append(header, column.Name), append(row, cell)
	}
	return [2]string{strings.Join(header, "|"), strings.Join(row, "|")}
}
