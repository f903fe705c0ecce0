// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

func pod(namespace, name, node string, labels map[string]string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

// shopCluster is a cluster with Pods on all kinds of nodes, and the nodes with what became of the policies there.
func shopCluster() (workloads, []v1.KubeArmorNode) {
	web := map[string]string{"app": "web"}
	p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "no-shell", Generation: 3}}
	p.Spec.Selector.MatchLabels = web
	everywhere := &securityv1.KubeArmorClusterPolicy{ObjectMeta: metav1.ObjectMeta{Name: "baseline", Generation: 1}}
	everywhere.Spec.Selector.MatchExpressions = []securityv1.ClusterExpression{{Key: "namespace", Operator: "In", Values: []securityv1.Value{"shop", "kube-system"}}}
	young, old := metav1.NewTime(time.Unix(2e9, 0)), metav1.NewTime(time.Unix(1e9, 0))
	done := pod("shop", "web-done", "bpf", web)
	done.Status.Phase = corev1.PodSucceeded
	w := workloads{
		pods: []corev1.Pod{
			pod("shop", "web-6d4f9c5b7d-x2x7k", "bpf", web), pod("shop", "web-behind", "behind", web), pod("shop", "web-old", "observer", web),
			pod("shop", "db-0", "bpf", nil), pod("shop", "web-lost", "gone", web), pod("shop", "web-unscheduled", "", web),
			pod("other", "alone", "bpf", web), pod("kube-system", "dns", "bpf", nil), done,
		},
		namespaces: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{v1.AnnotationFilePosture: "block"}}}},
		configs: []v1.KubeArmorConfig{
			{ObjectMeta: metav1.ObjectMeta{Namespace: "late", CreationTimestamp: young}, Spec: v1.KubeArmorConfigSpec{DefaultNetworkPosture: v1.PostureBlock}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "kubearmor", CreationTimestamp: old}, Spec: v1.KubeArmorConfigSpec{DefaultNetworkPosture: v1.PostureAllow}},
		},
		policies: []runtime.Object{p, everywhere},
	}
	on := func(name string, state v1.PolicyState, generation int64) v1.KubeArmorNode {
		return node(name, func(n *v1.KubeArmorNode) {
			n.Status.Conditions = []metav1.Condition{{Type: v1.NodeEnforcing, Status: metav1.ConditionTrue}}
			n.Status.Policies = []v1.NodePolicy{
				{Kind: "KubeArmorPolicy", Namespace: "shop", Name: "no-shell", Generation: generation, State: state},
				{Kind: "KubeArmorClusterPolicy", Name: "baseline", Generation: 1, State: v1.PolicyEnforced},
			}
		})
	}
	return w, []v1.KubeArmorNode{on("bpf", v1.PolicyEnforced, 3), on("behind", v1.PolicyEnforced, 2), on("observer", v1.PolicyObserved, 3)}
}

func shopProbe(problem error) *probe {
	w, nodes := shopCluster()
	p := clusterProbe(told{nodes: nodes})
	p.workloads = func(context.Context) (workloads, error) { return w, problem }
	return p
}

func TestPodsWithTheirPoliciesFitTheScreen(t *testing.T) {
	got := runProbe(t, shopProbe(nil))
	golden(t, "pods.txt", got.out)
	golden(t, "pods-wide.txt", runProbe(t, shopProbe(nil), "-o", "wide").out)
	if got.code != ExitOK || got.errors != "karmor: no policy selects 2 other Pods\n" {
		t.Errorf("exit %d: %s", got.code, got.errors)
	}
	for line := range strings.Lines(got.out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > screen {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestPodsForAProgram(t *testing.T) {
	var report clusterReport
	if err := json.Unmarshal([]byte(runProbe(t, shopProbe(nil), "-o", "json").out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Kind != "KubeArmorNodeList" || len(report.Items) != 3 || len(report.Pods) != 6 || report.Pods[0].Posture.File != "block" {
		t.Errorf("%s of %d, %+v", report.Kind, len(report.Items), report.Pods)
	}
}

func TestNodesAreShownWherePodsCannotBeRead(t *testing.T) {
	got := runProbe(t, shopProbe(errors.New("list pods: forbidden")))
	if got.code != ExitFailed || !strings.Contains(got.out, "observer") || !strings.Contains(got.errors, "no Pods are shown: list pods: forbidden; ask for list on pods") {
		t.Errorf("got %+v", got)
	}
}
