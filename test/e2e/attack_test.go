// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
)

func testDetection(t *testing.T, s *suite) {
	tell := func(node, progress string) { t.Logf("%s: %s", node, progress) }
	if err := s.WaitSettled(t.Context(), 6*time.Minute, tell); err != nil {
		t.Fatal(err)
	}
	nodes, err := s.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		checkTruth(t, s, &nodes[i])
	}
}

// checkTruth compares what a KubeArmorNode says with how the machine was booted.
func checkTruth(t *testing.T, s *suite, n *operatorv1.KubeArmorNode) {
	t.Helper()
	for _, booted := range s.fleet.Nodes {
		if booted.Name != n.Name {
			continue
		}
		if product.Enforcing(n) != booted.BPFLSM() {
			t.Errorf("%s: Enforcing %v, booted with lsm=%s", n.Name, product.Enforcing(n), booted.LSM)
		}
		if n.Spec.Facts.Arch != booted.Arch || !strings.HasPrefix(n.Spec.Facts.Kernel, booted.Kernel+".") {
			t.Errorf("%s: facts say %s %s, booted %s %s", n.Name, n.Spec.Facts.Arch, n.Spec.Facts.Kernel, booted.Arch, booted.Kernel)
		}
		if boot := strings.TrimSpace(on(t, booted, "cat /proc/sys/kernel/random/boot_id")); n.Spec.Facts.BootID != boot {
			t.Errorf("%s: facts say bootID %s, the kernel says %s", n.Name, n.Spec.Facts.BootID, boot)
		}
		if !booted.BPFLSM() && n.Spec.Verdict.Reason != operatorv1.ReasonLSMInactive {
			t.Errorf("%s: has no BPF LSM, and its verdict is %s (%s)", n.Name, n.Spec.Verdict.Reason, n.Spec.Verdict.Message)
		}
		return
	}
	t.Errorf("a KubeArmorNode %s exists, but the fleet has no such node", n.Name)
}

func testAttacks(t *testing.T, s *suite) {
	if err := s.Protect(t.Context(), 4*time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, n := range s.fleet.Nodes {
		s.checkOperations(t, n.Name, n.BPFLSM())
		s.checkAlerts(t, n.Name, n.BPFLSM())
	}
}

// checkOperations performs every operation and compares what happened with what must.
func (s *suite) checkOperations(t *testing.T, node string, enforced bool) {
	t.Helper()
	outcomes, err := s.Perform(t.Context(), node, product.Operations()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		denied := o.Attacked && enforced
		t.Logf("%s: %s of %s: through %v, status %d, %q", node, o.Kind, o.Path, o.Through(), o.Result.Status, firstLine(o.Result.Output))
		if denied && !o.Denied() {
			t.Errorf("%s: the attacked %s of %s was not denied: %s", node, o.Kind, o.Path, o.Result.Output)
		}
		if !denied && !o.Through() {
			t.Errorf("%s: %s of %s must work, but: %s", node, o.Kind, o.Path, o.Result.Output)
		}
	}
}

func (s *suite) checkAlerts(t *testing.T, node string, enforced bool) {
	t.Helper()
	for _, o := range product.Operations() {
		if !o.Attacked {
			continue
		}
		within(t, 30*time.Second, node+": alert on "+o.Path, func(ctx context.Context) (bool, string, error) {
			alerts, err := s.Alerts(ctx, node, product.WorkloadNamespace, product.PolicyName)
			for _, a := range alerts {
				if strings.Contains(a.Resource, o.Path) && (a.Result == "Passed") != enforced {
					return true, "", nil
				}
			}
			return false, fmt.Sprintf("%d alerts, none of them on %s with the right result", len(alerts), o.Path), err
		})
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// enforcingAgain waits until a node says of its present boot that it enforces.
func (s *suite) enforcingAgain(t *testing.T, limit time.Duration, node, boot string) {
	t.Helper()
	within(t, limit, node+" enforces, and has facts of boot "+boot, func(ctx context.Context) (bool, string, error) {
		var n operatorv1.KubeArmorNode
		if err := s.Client.Get(ctx, nodeKey(node), &n); err != nil {
			return false, "", err
		}
		same := n.Spec.Facts != nil && n.Spec.Facts.BootID == boot && n.Status.BootID == boot
		ready := meta.IsStatusConditionTrue(n.Status.Conditions, operatorv1.NodeReady)
		return same && ready && product.Enforcing(&n), fmt.Sprintf("status of boot %s: %s", n.Status.BootID, product.Progress(&n)), nil
	})
}
