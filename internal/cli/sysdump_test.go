// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// dump runs `sysdump` and gives its files, by their names below the archive's folder.
func dump(t *testing.T, args ...string) (outcome, map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dump.tar.gz")
	got := karmor(t, append([]string{"sysdump", "-o", file}, args...)...)
	raw, err := os.Open(file)
	if err != nil {
		return got, nil
	}
	defer raw.Close()
	zip, err := gzip.NewReader(raw)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(zip); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got, files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(text)
	}
}

func indexOf(t *testing.T, files map[string]string) index {
	t.Helper()
	var i index
	if err := json.Unmarshal([]byte(files["index.json"]), &i); err != nil {
		t.Fatal(err)
	}
	return i
}

// deployed is what stands for an installation: an operator with a secret in its environment, and a Secret.
func deployed() []client.Object {
	labels := map[string]string{v1.LabelApp: v1.AppOperator}
	operator := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "kubearmor", Name: "kubearmor-operator", Labels: labels}}
	operator.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	operator.Spec.Template.Labels = labels
	operator.Spec.Template.Spec.Containers = []corev1.Container{{
		Name: "operator", Image: "x", Env: []corev1.EnvVar{{Name: "ELASTIC_PASSWORD", Value: "hunter2"}, {Name: "LOG", Value: "debug"}},
	}}
	stranger := operator.DeepCopy()
	stranger.Name, stranger.Labels = "stranger", nil
	confining := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "no-shell"}}
	confining.Spec.Action = "Block"
	confining.Spec.Selector.MatchLabels = map[string]string{"app": "web"}
	confining.Spec.Process.MatchPaths = []securityv1.ProcessPath{{Path: "/bin/sh"}}
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "default", Name: "no-shell.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "KubeArmorPolicy", Namespace: "default", Name: "no-shell"}, Reason: "Enforced",
	}
	agent := pod("kubearmor", "kubearmor-agent-x", "n1", map[string]string{v1.LabelApp: v1.AppAgent})
	agent.Spec.Containers[0].Image = "x"
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubearmor"}}, operator, stranger, confining, event, &agent,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "kubearmor", Name: "kubearmor-tls"}, StringData: map[string]string{"tls.key": "topsecret"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}},
	}
}

func TestSysdumpOfARealCluster(t *testing.T) {
	env := apiServer(t)
	scheme := apiruntime.NewScheme()
	for _, add := range []func(*apiruntime.Scheme) error{v1.AddToScheme, securityv1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range deployed() {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	got, files := dump(t, "--kubeconfig", kubeconfigOf(t, env, "admin", "system:masters"))
	if got.code != ExitOK {
		t.Fatalf("exit %d: %s", got.code, got.errors)
	}
	for _, name := range []string{
		"objects/deployments/kubearmor/kubearmor-operator.yaml", "objects/kubearmorpolicies/default/no-shell.yaml", "objects/nodes/n1.yaml",
		"objects/events/default/no-shell.1.yaml", "objects/pods/kubearmor/kubearmor-agent-x.yaml",
		"objects/customresourcedefinitions/kubearmornodes.operator.kubearmor.com.yaml",
	} {
		if files[name] == "" {
			t.Errorf("%s is not there", name)
		}
	}
	for name, text := range files {
		for _, never := range []string{"hunter2", "topsecret", "managedFields", "kind: Secret", "openAPIV3Schema"} {
			if strings.Contains(text, never) {
				t.Errorf("%s holds %s", name, never)
			}
		}
		if strings.Contains(name, "stranger") || strings.Contains(name, "cluster-admin") {
			t.Errorf("%s is none of ours", name)
		}
	}
	if i := indexOf(t, files); i.Removed != 1 || i.Files != len(files) || len(i.Missing) != 0 || i.Objects["deployments"] != 1 || !strings.HasPrefix(i.Cluster, "v1.") {
		t.Errorf("index %+v of %d files", i, len(files))
	}

	got, files = dump(t, "--kubeconfig", kubeconfigOf(t, env, "nobody", "nobodies"))
	i := indexOf(t, files)
	if got.code != exitIncomplete || len(i.Missing) == 0 || !strings.Contains(got.errors, "could not be fetched, the first: clusterrolebindings: ") {
		t.Errorf("without rights: exit %d, %d missing: %s", got.code, len(i.Missing), got.errors)
	}
}

// onePodServer is no API server: it lists one Pod and gives its logs, and has nothing else. Logs need a kubelet, which the real
// one of these tests does not have.
func onePodServer(t *testing.T, log string) *httptest.Server {
	t.Helper()
	agent := pod("kubearmor", "agent", "n1", map[string]string{v1.LabelApp: v1.AppAgent})
	agent.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", RestartCount: 1}, {Name: "second"}}
	agent.APIVersion, agent.Kind = "v1", "Pod"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/version":
			_, _ = io.WriteString(w, `{"gitVersion":"v1.2.3"}`)
		case path.Base(r.URL.Path) == "log" && q.Get("container") == "second":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"container second is waiting to start","code":400}`)
		case path.Base(r.URL.Path) == "log" && q.Get("previous") == "true":
			_, _ = io.WriteString(w, "it crashed\n")
		case path.Base(r.URL.Path) == "log":
			_, _ = io.WriteString(w, log)
		case r.URL.Path == "/api/v1/pods":
			_ = json.NewEncoder(w).Encode(corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{agent}})
		default:
			_, _ = fmt.Fprint(w, `{"kind":"List","apiVersion":"v1","items":[]}`)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestSysdumpKeepsTheNewestOfLogsWithoutSecrets(t *testing.T) {
	server := onePodServer(t, strings.Repeat("an old line\n", 100000)+"connect with password=hunter2\nthe newest line\n")
	got, files := dump(t, "--kubeconfig", kubeconfigFor(t, server.URL), "--log-bytes", "1000")
	log := files["logs/kubearmor/agent/main.log"]
	if len(log) > 1010 || len(log) < 900 || !strings.HasPrefix(log, "an old line\n") || !strings.HasSuffix(log, "connect with password=<removed>\nthe newest line\n") {
		t.Errorf("%d bytes: %.40q…", len(log), log)
	}
	if files["logs/kubearmor/agent/main.previous.log"] != "it crashed\n" {
		t.Errorf("the run before: %q", files["logs/kubearmor/agent/main.previous.log"])
	}
	want := []missing{{"logs/kubearmor/agent/second.log", "container second is waiting to start"}}
	if i := indexOf(t, files); !slices.Equal(i.Missing, want) || i.Logs != 2 || i.Removed != 1 {
		t.Errorf("index %+v", i)
	}
	if got.code != exitIncomplete || !strings.Contains(got.errors, "1 things could not be fetched") {
		t.Errorf("exit %d: %s", got.code, got.errors)
	}
	if _, files := dump(t, "--kubeconfig", kubeconfigFor(t, server.URL), "--log-bytes", "0"); files["logs/kubearmor/agent/main.log"] != "" || len(files) == 0 {
		t.Error("logs, though none are wanted")
	}
}

func TestSysdumpLeavesNothingHalf(t *testing.T) {
	server := onePodServer(t, "")
	folder := t.TempDir()
	file := filepath.Join(folder, "x.tar.gz")
	ctx, cancel := context.WithCancel(t.Context())
	s := &sysdump{
		streams: Streams{Out: io.Discard, Err: io.Discard}, cluster: &clusterFlags{kubeconfig: kubeconfigFor(t, server.URL)}, output: file,
		now: func() time.Time { cancel(); return time.Unix(0, 0) },
	}
	if err := s.run(ctx); err == nil {
		t.Error("no error of a run that was stopped")
	}
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("left %s", left[0].Name())
	}
}

func TestSysdumpMistakesAreTold(t *testing.T) {
	golden(t, "sysdump-help.txt", karmor(t, "sysdump", "--help").out)
	if got := karmor(t, "sysdump", "--log-bytes", "-1"); got.code != ExitUsage || !strings.Contains(got.errors, "count from 0 up") {
		t.Errorf("got %+v", got)
	}
	server := onePodServer(t, "")
	got := karmor(t, "sysdump", "--kubeconfig", kubeconfigFor(t, server.URL), "-o", "/nowhere/x.tar.gz")
	oneLine(t, got, "name another file with --output")
	server.Close()
	oneLine(t, karmor(t, "sysdump", "--kubeconfig", kubeconfigFor(t, server.URL)), "the cluster cannot be reached")
	if b, err := newest(bytes.NewReader([]byte("short")), 100); err != nil || string(b) != "short" {
		t.Errorf("%q, %v", b, err)
	}
}
