// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
)

// uninstallLimit is what the product promises.
const uninstallLimit = 60 * time.Second

// footprint lists what the product could leave behind: objects of every kind that it makes, and the nodes' labels.
func (s *suite) footprint(t *testing.T) map[string]bool {
	t.Helper()
	const kinds = "kubearmorconfigs.operator.kubearmor.com,kubearmornodes.operator.kubearmor.com,daemonsets,deployments,replicasets,pods," +
		"services,serviceaccounts,configmaps,secrets,roles,rolebindings,clusterroles,clusterrolebindings," +
		"validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"
	out := map[string]bool{}
	for line := range strings.Lines(s.kubectl(t, "get", kinds, "-A", "-o", "name", "--ignore-not-found")) {
		out[strings.TrimSpace(line)] = true
	}
	for line := range strings.Lines(s.kubectl(t, "get", "nodes", "-o", `go-template={{range .items}}{{$n := .metadata.name}}{{range $k, $v := .metadata.labels}}{{$n}} label {{$k}}={{$v}}{{"\n"}}{{end}}{{end}}`)) {
		out[strings.TrimSpace(line)] = true
	}
	return out
}

// ours leaves out what others own: the workload, what every namespace has, and the operator's Pod, which may have moved.
func ours(footprint map[string]bool) []string {
	var out []string
	for name := range footprint {
		foreign := strings.Contains(name, "/"+product.WorkloadName) || strings.HasPrefix(name, "pod/kubearmor-operator-") ||
			strings.HasSuffix(name, "/kube-root-ca.crt") || strings.HasSuffix(name, "/default")
		if !foreign {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func testUninstall(t *testing.T, s *suite) {
	for _, n := range s.fleet.Nodes {
		if len(kernelObjects(t, n)) == 0 || (n.BPFLSM() && pins(t, n) == "") {
			t.Errorf("%s: nothing of ours is in the kernel while the agent runs, so this test proves nothing", n.Name)
		}
	}
	begun := time.Now()
	if err := s.Unprotect(t.Context(), uninstallLimit); err != nil {
		t.Fatal(err)
	}
	t.Logf("the KubeArmorConfig is gone after %.1f s", time.Since(begun).Seconds())
	var diff string
	for time.Since(begun) < uninstallLimit {
		if diff = cmp.Diff(ours(s.before), ours(s.footprint(t))); diff == "" {
			break
		}
		time.Sleep(time.Second)
	}
	t.Logf("the cluster was compared with what it was before, for the last time after %.1f s", time.Since(begun).Seconds())
	if diff != "" {
		t.Errorf("the cluster is not as before (-before +now):\n%s", diff)
	}
	for _, n := range s.fleet.Nodes {
		checkClean(t, n)
		s.checkOperations(t, n.Name, false)
	}
}

func pins(t *testing.T, n *node.Node) string {
	t.Helper()
	return strings.TrimSpace(on(t, n, "find /sys/fs/bpf -mindepth 1"))
}

// checkClean looks into the kernel.
func checkClean(t *testing.T, n *node.Node) {
	t.Helper()
	if left := pins(t, n); left != "" {
		t.Errorf("%s: pins are left:\n%s", n.Name, left)
	}
	if left := kernelObjects(t, n); len(left) > 0 {
		t.Errorf("%s: programs or links are left: %v", n.Name, left)
	}
}

// kernelObjects are the links, and the programs but for those that runc loads for the devices of each container.
func kernelObjects(t *testing.T, n *node.Node) []string {
	t.Helper()
	const cgroupDevice = "15"
	var out []string
	for line := range strings.Lines(on(t, n, "/node/bpf-objects")) {
		fields := strings.Fields(line)
		if len(fields) >= 3 && (fields[0] == "link" || fields[2] != cgroupDevice) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
