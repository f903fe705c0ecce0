// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

func TestTwoKindsOfNodesGetTwoPoolsAndAnEmptyOneIsPruned(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	amd, arm := join(t, "amd"), join(t, "arm")
	amd.detects()
	arm.detects(func(f *v1.NodeFacts) { f.Arch = "arm64" })
	first, second := amd.pooled(), arm.pooled()
	if first.Name == second.Name {
		t.Fatal("both are in one pool")
	}
	windows := join(t, "windows", func(n *corev1.Node) {
		n.Status.NodeInfo.OperatingSystem = "windows"
		n.Labels[corev1.LabelOSStable] = "windows"
	})
	fleet(t, c, "two pools and an unsupported node", func(s v1.KubeArmorConfigStatus) error {
		if diff := cmp.Diff(v1.NodeCounts{Total: 3, Detected: 2, Degraded: 2, Unsupported: 1}, s.Nodes); diff != "" {
			return fmt.Errorf("nodes: %s", diff)
		}
		if len(s.Pools) != 2 || len(s.FailingNodes) != 2 {
			return fmt.Errorf("pools %v, failing %v", s.Pools, s.FailingNodes)
		}
		return nil
	})
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: windows.node}, &v1.KubeArmorNode{}); err == nil {
		t.Error("the Windows node has a KubeArmorNode")
	}

	must(t, cluster.Delete(t.Context(), &corev1.Node{ObjectMeta: arm.meta()}))
	eventually(t, "the removed node's object goes", func() error {
		return isGone(t.Context(), &v1.KubeArmorNode{ObjectMeta: arm.meta()})
	})
	eventually(t, "its pool's DaemonSet goes", func() error { return isGone(t.Context(), second.DeepCopy()) })
	must(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(first), first))
}

func TestDriftOfOwnedObjectsIsRepaired(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "drift")
	k.detects()
	ds := k.pooled()
	rendered := ds.Spec.DeepCopy()
	repaired := func(what string) {
		t.Helper()
		within(t, 5*time.Second, what+" is repaired", func() error {
			got := &appsv1.DaemonSet{}
			if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(ds), got); err != nil {
				return err
			}
			if diff := cmp.Diff(*rendered, got.Spec); diff != "" {
				return fmt.Errorf("spec differs: %s", diff)
			}
			if got.Labels[v1.LabelManagedBy] != v1.ManagedBy {
				return fmt.Errorf("labels are %v", got.Labels)
			}
			return nil
		})
	}
	edits := []struct {
		name string
		edit func(*appsv1.DaemonSet)
	}{
		{"another image", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "evil:1" }},
		{"a privileged agent", func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
			yes := true
			d.Spec.Template.Spec.Containers[0].SecurityContext.Privileged = &yes
		}},
		{"a taken toleration", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Tolerations = nil }},
		{"a second container", func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "miner", Image: "miner:1"})
		}},
		{"the host's network", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.HostNetwork = true }},
		{"a foreign volume", func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.Volumes = append(d.Spec.Template.Spec.Volumes, corev1.Volume{
				Name: "etc", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}},
			})
		}},
		{"no label of ours", func(d *appsv1.DaemonSet) { delete(d.Labels, v1.LabelManagedBy) }},
	}
	for _, e := range edits {
		edit(t, ds.DeepCopy(), e.edit, client.FieldOwner("kubectl-edit"))
		repaired(e.name)
	}
	must(t, cluster.Delete(t.Context(), ds.DeepCopy()))
	repaired("a deleted DaemonSet")

	role := &rbacv1.ClusterRole{}
	must(t, cluster.Get(t.Context(), client.ObjectKey{Name: v1.AgentServiceAccount}, role))
	want := slices.Clone(role.Rules)
	edit(t, role, func(r *rbacv1.ClusterRole) {
		r.Rules = append(r.Rules, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	})
	within(t, 5*time.Second, "the agents' role is repaired", func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(role), role); err != nil {
			return err
		}
		if diff := cmp.Diff(want, role.Rules); diff != "" {
			return fmt.Errorf("rules: %s", diff)
		}
		return nil
	})
	must(t, cluster.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: in(namespace, v1.ConfigMapName)}))
	within(t, 5*time.Second, "the ConfigMap is back", func() error {
		return cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1.ConfigMapName}, &corev1.ConfigMap{})
	})
	n := &corev1.Node{}
	must(t, cluster.Get(t.Context(), client.ObjectKey{Name: k.node}, n))
	pool := n.Labels[v1.LabelPool]
	edit(t, n, func(n *corev1.Node) { n.Labels[v1.LabelPool], n.Labels[v1.LabelEnforcer] = "elsewhere", "selinux" })
	k.label(v1.LabelPool, pool)
	k.label(v1.LabelEnforcer, "bpf")
}

func TestRolloutRestartIsLeftAlone(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "restarted")
	k.detects()
	ds := k.pooled()
	const mark = "kubectl.kubernetes.io/restartedAt"
	patch := client.MergeFrom(ds.DeepCopy())
	ds.Spec.Template.Annotations[mark] = "2026-01-01T00:00:00Z"
	must(t, cluster.Patch(t.Context(), ds, patch, client.FieldOwner("kubectl-rollout")))
	throughout(t, 2*time.Second, "the mark stays", func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(ds), ds); err != nil {
			return err
		}
		if ds.Spec.Template.Annotations[mark] == "" {
			return fmt.Errorf("it is gone")
		}
		return nil
	})
}

func TestSecondConfigConflictsAndTakesOver(t *testing.T) {
	first := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "contested")
	k.detects()
	k.pooled()
	time.Sleep(time.Second) // creationTimestamp counts seconds.
	second := &v1.KubeArmorConfig{Spec: v1.KubeArmorConfigSpec{KubeArmorImage: v1.ImageSpec{Image: "registry.test/other:1"}}}
	second.Namespace, second.Name = "default", "another"
	must(t, cluster.Create(t.Context(), second))
	t.Cleanup(func() { _ = cluster.Delete(background(), second) })
	fleet(t, second, "that it conflicts", func(s v1.KubeArmorConfigStatus) error {
		if s.Phase != "Error" || !strings.Contains(s.Message, namespace+"/fleet") {
			return fmt.Errorf("phase %s: %s", s.Phase, s.Message)
		}
		return says(s, v1.ConfigConflict, "True", v1.ReasonOlderConfigExists)
	})
	fleet(t, first, "that it is in force", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigConflict, "False", v1.ReasonOnlyConfig)
	})
	if kan := k.kan("is as it was", func(*v1.KubeArmorNode) error { return nil }); kan.Spec.Image != builtInImage {
		t.Errorf("image is %s", kan.Spec.Image)
	}
	must(t, cluster.Delete(t.Context(), first.DeepCopy()))
	within(t, time.Minute, "the first one goes", func() error { return isGone(t.Context(), first.DeepCopy()) })
	fleet(t, second, "that it is in force", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigConflict, "False", v1.ReasonOnlyConfig)
	})
	k.detects()
	if got := k.pooled().Spec.Template.Spec.Containers[0].Image; got != "registry.test/other:1" {
		t.Errorf("image is %s", got)
	}
	must(t, cluster.Delete(t.Context(), second.DeepCopy()))
	within(t, time.Minute, "the second one goes", func() error { return isGone(t.Context(), second.DeepCopy()) })
}

func TestNewImageReachesANodeOnlyAfterItsProbe(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{DefaultFilePosture: v1.PostureBlock, KubeArmorImage: v1.ImageSpec{Image: "registry.test/agent:1"}})
	k := join(t, "upgraded")
	first := k.probe(nil)
	k.detects()
	before := k.pooled()
	edit(t, c, func(c *v1.KubeArmorConfig) { c.Spec.KubeArmorImage.Image = "registry.test/agent:2" })

	second := k.probe(first)
	if got := second.Spec.Containers[0].Image; got != "registry.test/agent:2" {
		t.Errorf("the probe's image is %s", got)
	}
	k.waits(second, "ErrImagePull", "not found")
	k.kan("keeps the old image", func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Probe.Reason != v1.ReasonImagePullFailed || kan.Spec.Image != "registry.test/agent:1" {
			return fmt.Errorf("probe %s, image %s", kan.Spec.Probe.Reason, kan.Spec.Image)
		}
		return nil
	})
	must(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(before), before))
	fleet(t, c, "which node is not detected", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigNodesDetected, "False", v1.ReasonDetectionFailed)
	})
}

func TestFieldsWithoutEffectAreNamed(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{
		EnableNRI:                true,
		KubeArmorImage:           v1.ImageSpec{Image: "registry.test/agent:1"},
		KubeArmorControllerImage: v1.ImageSpec{Image: "registry.test/relay:1"},
	})
	fleet(t, c, "which fields it ignores", func(s v1.KubeArmorConfigStatus) error {
		v := conditions.Get(s.Conditions, v1.ConfigFieldsIgnored)
		if want := "set in the spec and without effect in this version: enableNRI, kubearmorControllerImage"; v.Message != want {
			return fmt.Errorf("message is %q, want %q", v.Message, want)
		}
		return says(s, v1.ConfigFieldsIgnored, "True", v1.ReasonFieldsWithoutEffect)
	})
}

func TestNodeOutsideTheSelectorIsLetGo(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "leaving")
	k.detects()
	ds := k.pooled()
	agent := k.runsAgent(ds)
	k.agentReports()
	edit(t, c, func(c *v1.KubeArmorConfig) { c.Spec.GlobalNodeSelector = map[string]string{"protected": "yes"} })
	kan := k.kan("asks its agent to leave", asksToDetach)
	throughout(t, time.Second, "the agent keeps its place until it answers", func() error {
		n, now := &corev1.Node{}, &appsv1.DaemonSet{}
		if err := errors.Join(cluster.Get(t.Context(), client.ObjectKey{Name: k.node}, n),
			cluster.Get(t.Context(), client.ObjectKeyFromObject(ds), now)); err != nil {
			return err
		}
		if place := now.Spec.Template.Spec.NodeSelector; !labels.SelectorFromSet(place).Matches(labels.Set(n.Labels)) {
			return fmt.Errorf("the DaemonSet selects %v, the node has %v", place, n.Labels)
		}
		return nil
	})
	k.agentReports(detached)
	k.label(v1.LabelPool, "")
	must(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(kan), kan))
	k.endsAgent(agent)
	eventually(t, "the object goes", func() error { return isGone(t.Context(), kan.DeepCopy()) })
	eventually(t, "the DaemonSet goes", func() error { return isGone(t.Context(), ds.DeepCopy()) })
	fleet(t, c, "that no node is left", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigReady, "False", v1.ReasonNoNodes)
	})
}

func TestLabelsOfAnotherInstallationAreLeftAlone(t *testing.T) {
	k := join(t, "legacy", func(n *corev1.Node) { n.Labels[v1.LabelEnforcer] = "apparmor" })
	throughout(t, time.Second, "the label stays while nothing is declared", func() error {
		n := &corev1.Node{}
		if err := cluster.Get(t.Context(), client.ObjectKey{Name: k.node}, n); err != nil {
			return err
		}
		if n.Labels[v1.LabelEnforcer] != "apparmor" {
			return fmt.Errorf("it is %q", n.Labels[v1.LabelEnforcer])
		}
		return nil
	})
}
