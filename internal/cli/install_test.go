// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// actor plays what the API server of these tests does not have: the Deployment's controller, the operator, and the one that
// lets go of namespaces.
type actor struct {
	t *testing.T
	objects
}

func act(t *testing.T, env *envtest.Environment) *actor {
	t.Helper()
	c, err := dynamic.NewForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	a := &actor{t, objects{c}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			a.once(ctx)
			time.Sleep(100 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return a
}

// once does one round; what fails is done in the next.
func (a *actor) once(ctx context.Context) {
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	found, _ := a.list(ctx, deployments, "kubearmor", metav1.ListOptions{})
	for _, d := range found {
		one := int64(1)
		d.Object["status"] = map[string]any{
			"observedGeneration": d.GetGeneration(), "replicas": one, "updatedReplicas": one, "readyReplicas": one, "availableReplicas": one,
		}
		_, _ = a.Resource(deployments).Namespace("kubearmor").UpdateStatus(ctx, &d, metav1.UpdateOptions{})
	}
	fleets, _ := a.list(ctx, operatorKind("kubearmorconfigs"), "", metav1.ListOptions{})
	for _, f := range fleets {
		configs := a.Resource(operatorKind("kubearmorconfigs")).Namespace(f.GetNamespace())
		if f.GetDeletionTimestamp() != nil {
			// Cleaning the nodes takes a while, and takes the operator.
			time.Sleep(time.Second)
			if left, err := a.list(ctx, deployments, "kubearmor", metav1.ListOptions{}); err == nil && (len(left) == 0 || left[0].GetDeletionTimestamp() != nil) {
				a.t.Error("the operator is deleted while it cleans the nodes")
			}
			f.SetFinalizers(nil)
			_, _ = configs.Update(ctx, &f, metav1.UpdateOptions{})
			continue
		}
		if len(f.GetFinalizers()) == 0 {
			f.SetFinalizers([]string{v1.FinalizerUninstall})
			_, _ = configs.Update(ctx, &f, metav1.UpdateOptions{})
			continue
		}
		ready := func(kind string) any {
			return map[string]any{
				"type": kind, "status": "True", "reason": "AsExpected", "message": "", "observedGeneration": f.GetGeneration(),
				"lastTransitionTime": "2026-01-01T00:00:00Z",
			}
		}
		_ = unstructured.SetNestedSlice(f.Object, []any{ready(v1.ConfigReady), ready(v1.ConfigEnforcing)}, "status", "conditions")
		_, _ = configs.UpdateStatus(ctx, &f, metav1.UpdateOptions{})
	}
	n, err := a.Resource(coreKind("namespaces")).Get(ctx, "kubearmor", metav1.GetOptions{})
	if err == nil && n.GetDeletionTimestamp() != nil {
		unstructured.RemoveNestedField(n.Object, "spec", "finalizers")
		_, _ = a.Resource(coreKind("namespaces")).Update(ctx, n, metav1.UpdateOptions{}, "finalize")
	}
}

func (a *actor) image(kind schema.GroupVersionResource, name string, fields ...string) string {
	a.t.Helper()
	o, err := a.Resource(kind).Namespace("kubearmor").Get(a.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	if kind.Resource == "deployments" {
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		return containers[0].(map[string]any)["image"].(string)
	}
	image, _, _ := unstructured.NestedString(o.Object, fields...)
	return image
}

// TestInstallAndUninstallOnARealCluster, twice each: the second time finds it done.
func TestInstallAndUninstallOnARealCluster(t *testing.T) {
	env := apiServerWithout(t)
	admin := kubeconfigOf(t, env, "admin", "system:masters")
	a := act(t, env)
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

	nobody := kubeconfigOf(t, env, "nobody", "nobodies")
	oneLine(t, karmor(t, "install", "--kubeconfig", nobody), "install as an administrator of the cluster")
	got := karmor(t, "install", "--kubeconfig", admin, "--timeout", "1m", "--image", "operator=o:1,agent=a:1")
	for _, says := range []string{"objects applied", "KubeArmorConfig kubearmor/default created", "the operator is available", "KubeArmor is Ready and enforces on every node"} {
		if got.code != ExitOK || !strings.Contains(got.errors, says) {
			t.Fatalf("install: exit %d, does not say %q:\n%s", got.code, says, got.errors)
		}
	}
	if o, agent := a.image(deployments, "kubearmor-operator"), a.image(operatorKind("kubearmorconfigs"), "default", "spec", "kubearmorImage", "image"); o != "o:1" || agent != "a:1" {
		t.Errorf("images %s, %s", o, agent)
	}

	// What the user set stays.
	patch := []byte(`{"spec":{"defaultFilePosture":"block"}}`)
	configs := a.Resource(operatorKind("kubearmorconfigs")).Namespace("kubearmor")
	if _, err := configs.Patch(t.Context(), "default", "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	got = karmor(t, "install", "--kubeconfig", admin, "--timeout", "1m", "--image", "agent=a:2")
	if got.code != ExitOK || !strings.Contains(got.errors, "KubeArmorConfig kubearmor/default is there and stays") {
		t.Errorf("again: exit %d: %s", got.code, got.errors)
	}
	if agent, posture := a.image(operatorKind("kubearmorconfigs"), "default", "spec", "kubearmorImage", "image"),
		a.image(operatorKind("kubearmorconfigs"), "default", "spec", "defaultFilePosture"); agent != "a:2" || posture != "block" {
		t.Errorf("image %s, posture %s", agent, posture)
	}

	own := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "security.kubearmor.com/v1", "kind": "KubeArmorPolicy", "metadata": map[string]any{"name": "mine"},
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": map[string]any{"a": "b"}}, "action": "Block",
			"process": map[string]any{"matchPaths": []any{map[string]any{"path": "/bin/sh"}}},
		},
	}}
	policies := a.Resource(securityKind("kubearmorpolicies")).Namespace("default")
	if _, err := policies.Create(t.Context(), own, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got = karmor(t, "uninstall", "--kubeconfig", admin, "--timeout", "1m")
	if got.code != ExitOK || !strings.Contains(got.errors, "1 policies stay") || !strings.Contains(got.errors, "KubeArmor is gone from the cluster") {
		t.Fatalf("uninstall: exit %d: %s", got.code, got.errors)
	}
	if _, err := policies.Get(t.Context(), "mine", metav1.GetOptions{}); err != nil {
		t.Errorf("the policy: %v", err)
	}
	if _, err := a.Resource(coreKind("namespaces")).Get(t.Context(), "kubearmor", metav1.GetOptions{}); err == nil {
		t.Error("the namespace is left")
	}
	got = karmor(t, "uninstall", "--kubeconfig", admin, "--timeout", "1m", "--delete-policies")
	if got.code != ExitOK {
		t.Errorf("uninstall with policies: exit %d: %s", got.code, got.errors)
	}
	if _, err := policies.List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("the kinds of policies are left")
	}
	if got = karmor(t, "uninstall", "--kubeconfig", admin); got.code != ExitOK {
		t.Errorf("uninstall of nothing: exit %d: %s", got.code, got.errors)
	}
}

// TestWhatIsWaitedForIsTold when it does not come: here nobody plays the operator.
func TestWhatIsWaitedForIsTold(t *testing.T) {
	env := apiServerWithout(t)
	admin := kubeconfigOf(t, env, "admin", "system:masters")
	got := karmor(t, "install", "--kubeconfig", admin, "--timeout", "20s")
	last := got.errors[strings.LastIndex(strings.TrimSpace(got.errors), "\n")+1:]
	if got.code != ExitFailed || !strings.Contains(last, "the operator does not become available in time: the operator: 0 of 1 Pods available; wait longer with --timeout, or see: karmor probe, karmor sysdump") {
		t.Errorf("exit %d: %s", got.code, got.errors)
	}
}

func TestInstallForReading(t *testing.T) {
	golden(t, "install-help.txt", karmor(t, "install", "--help").out)
	golden(t, "uninstall-help.txt", karmor(t, "uninstall", "--help").out)
	got := karmor(t, "install", "--dry-run", "--image", "operator=o:1", "--image", "relay=r:1", "--kubeconfig", "/nowhere")
	if got.code != ExitOK || strings.Count("---\n"+got.out, "---\n") < 15 || !strings.Contains(got.out, "image: o:1\n") || !strings.Contains(got.out, "  kubearmorRelayImage:\n    image: r:1\n") {
		t.Errorf("exit %d: %s\n%s", got.code, got.errors, got.out)
	}
	if got := karmor(t, "install", "--image", "agents=x"); got.code != ExitUsage || !strings.Contains(got.errors, "--image agents=x is not one of operator=IMAGE") {
		t.Errorf("got %+v", got)
	}
	t.Setenv("KUBECONFIG", "/nowhere/config")
	t.Setenv("HOME", t.TempDir())
	oneLine(t, karmor(t, "install"), "no cluster is configured")
	oneLine(t, karmor(t, "uninstall"), "no cluster is configured")
}
