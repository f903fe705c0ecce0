// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what was printed with testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// attachRefused is a node that lists bpf and cannot attach.
func attachRefused() v1.NodeFacts {
	yes := v1.Fact{State: v1.FactYes}
	return v1.NodeFacts{
		SchemaVersion: v1.FactsSchemaVersion,
		BootID:        "d273e1b3-7d35-4080-9db5-36d5401c3f26",
		Kernel:        "6.1.0-56-cloud-arm64",
		Arch:          "arm64",
		Distribution:  v1.Distribution{ID: "debian", VersionID: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		LSMs:          []string{"lockdown", "capability", "landlock", "yama", "apparmor", "bpf"},
		BTF:           yes, Observe: yes, AppArmor: yes, Seccomp: yes, BPFFS: yes, SecurityFS: yes, AppArmorFS: yes,
		BPFLSM:        v1.Fact{State: v1.FactNo, Reason: v1.ReasonAttachRefused, Cause: "attach lsm/file_open: create raw tracepoint: not supported"},
		SELinux:       v1.SELinuxFact{Fact: v1.Fact{State: v1.FactNo, Reason: v1.ReasonLSMInactive, Cause: "selinux is not among the active LSMs"}, Mode: "disabled"},
		CgroupVersion: 2,
		Runtime:       v1.RuntimeFact{Fact: v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonRuntimeUnknown, Cause: "no known CRI socket exists below /run"}},
	}
}

func enforcingNode() v1.NodeFacts {
	f := attachRefused()
	f.Kernel, f.Arch, f.BPFLSM = "6.12.117+deb12-cloud-amd64", "amd64", v1.Fact{State: v1.FactYes}
	f.SELinux = v1.SELinuxFact{Fact: v1.Fact{State: v1.FactYes}, Mode: "enforcing"}
	f.Runtime = v1.RuntimeFact{
		Fact: v1.Fact{State: v1.FactYes}, Name: "containerd", Version: "v1.6.20",
		Socket: "/run/containerd/containerd.sock", NRISocket: "/run/nri/nri.sock",
	}
	return f
}

// outcome is what a run of karmor left.
type outcome struct {
	code        int
	out, errors string
}

// runProbe runs `probe` with a world that is told.
func runProbe(t *testing.T, p *probe, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	p.streams = Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
	if p.euid == nil {
		p.euid = func() int { return 0 }
	}
	cmd := p.command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{}, args...))
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		return outcome{ExitFailed, out.String(), err.Error()}
	}
	return outcome{ExitOK, out.String(), errs.String()}
}

func localProbe(f v1.NodeFacts) *probe {
	return &probe{look: func(context.Context) v1.NodeFacts { return f }}
}

func TestLocalReportForAPerson(t *testing.T) {
	golden(t, "local-attach-refused.txt", runProbe(t, localProbe(attachRefused()), "--local").out)
	golden(t, "local-enforcing.txt", runProbe(t, localProbe(enforcingNode()), "--local").out)
}

func TestLocalReportForAProgram(t *testing.T) {
	js := runProbe(t, localProbe(attachRefused()), "--local", "-o", "json").out
	golden(t, "local-attach-refused.json", js)
	golden(t, "local-attach-refused.yaml", runProbe(t, localProbe(attachRefused()), "--local", "-o", "yaml").out)
	var got localReport
	if err := json.Unmarshal([]byte(js), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(attachRefused(), got.NodeFacts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if got.Verdict.Enforcer != v1.EnforcerNone || got.Verdict.Reason != v1.ReasonAttachRefused {
		t.Errorf("verdict %+v", got.Verdict)
	}
}

func TestWithoutRootTheReportSaysWhatIsMissing(t *testing.T) {
	p := localProbe(attachRefused())
	p.euid = func() int { return 1000 }
	got := runProbe(t, p, "--local")
	if got.code != ExitOK || !strings.Contains(got.errors, "not run as root") || !strings.Contains(got.errors, "sudo") {
		t.Errorf("exit %d, %q", got.code, got.errors)
	}
}

// told is a cluster with the given nodes, or the given error.
type told struct {
	nodes []v1.KubeArmorNode
	err   error
}

func (c told) ListNodes(context.Context) (*v1.KubeArmorNodeList, error) {
	return &v1.KubeArmorNodeList{Items: c.nodes}, c.err
}

func clusterProbe(c told) *probe {
	return &probe{connect: func() (nodeLister, error) { return c, nil }}
}

func node(name string, change func(*v1.KubeArmorNode)) v1.KubeArmorNode {
	n := v1.KubeArmorNode{ObjectMeta: metav1.ObjectMeta{Name: name}}
	change(&n)
	return n
}

func fleet() []v1.KubeArmorNode {
	condition := func(status metav1.ConditionStatus, reason, message string) []metav1.Condition {
		return []metav1.Condition{{Type: v1.NodeEnforcing, Status: status, Reason: reason, Message: message}}
	}
	return []v1.KubeArmorNode{
		node("worker-b", func(n *v1.KubeArmorNode) {
			f := attachRefused()
			n.Spec.Facts = &f
			n.Spec.Verdict = &v1.Verdict{Enforcer: v1.EnforcerNone, Reason: v1.ReasonAttachRefused, Message: "upgrade the kernel"}
			n.Spec.Probe.Reason = v1.ReasonProbeSucceeded
			n.Spec.Pool = "arm64-none-5f7c"
			n.Status.Enforcer = v1.EnforcerNone
			n.Status.Conditions = condition(metav1.ConditionFalse, v1.ReasonAttachRefused, "observing only: upgrade the kernel")
		}),
		node("ip-10-0-123-45.eu-central-1.compute.internal", func(n *v1.KubeArmorNode) {
			f := enforcingNode()
			n.Spec.Facts = &f
			n.Spec.Probe.Reason = v1.ReasonProbeSucceeded
			n.Spec.Pool = "amd64-bpf-91ab"
			n.Status.Enforcer = v1.EnforcerBPF
			n.Status.Conditions = condition(metav1.ConditionTrue, v1.ReasonEnforcing, "")
		}),
		node("decided", func(n *v1.KubeArmorNode) {
			f := enforcingNode()
			n.Spec.Facts = &f
			n.Spec.Verdict = &v1.Verdict{Enforcer: v1.EnforcerBPF, Reason: v1.ReasonEnforcing, Message: "BPF-LSM denied the canary operation"}
			n.Spec.Probe.Reason = v1.ReasonProbeSucceeded
		}),
		node("probed", func(n *v1.KubeArmorNode) {
			n.Spec.Probe = v1.ProbeState{Reason: v1.ReasonImagePullFailed, Message: "pull access denied"}
		}),
		node("new", func(*v1.KubeArmorNode) {}),
	}
}

func TestTableOfNodesFitsTheScreen(t *testing.T) {
	got := runProbe(t, clusterProbe(told{nodes: fleet()}))
	golden(t, "nodes.txt", got.out)
	for line := range strings.Lines(got.out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > screen {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestWideTableShortensNothing(t *testing.T) {
	golden(t, "nodes-wide.txt", runProbe(t, clusterProbe(told{nodes: fleet()}), "-o", "wide").out)
}

func TestNodesForAProgram(t *testing.T) {
	var list v1.KubeArmorNodeList
	if err := json.Unmarshal([]byte(runProbe(t, clusterProbe(told{nodes: fleet()}), "-o", "json").out), &list); err != nil {
		t.Fatal(err)
	}
	if list.Kind != "KubeArmorNodeList" || len(list.Items) != len(fleet()) || list.Items[0].Name != "decided" || list.Items[0].Kind != "KubeArmorNode" {
		t.Errorf("got %s of %d, the first is %s %q", list.Kind, len(list.Items), list.Items[0].Kind, list.Items[0].Name)
	}
}

func TestAClusterWithoutNodesSaysWhatToLookAt(t *testing.T) {
	got := runProbe(t, clusterProbe(told{}))
	if got.code != ExitOK || got.out != "" || !strings.Contains(got.errors, "KubeArmorConfig") {
		t.Errorf("got %+v", got)
	}
}

func TestAnErrorOfTheClusterIsPassedOn(t *testing.T) {
	if got := runProbe(t, clusterProbe(told{err: errors.New("gone fishing")})); got.code != ExitFailed || got.errors != "gone fishing" {
		t.Errorf("got %+v", got)
	}
}

// karmor runs the whole command.
func karmor(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := Run(t.Context(), "v1.2.3", Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, args)
	return outcome{code, out.String(), errs.String()}
}

func TestExitCodes(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"version", []string{"version"}, ExitOK, "v1.2.3"},
		{"help", []string{"--help"}, ExitOK, "Exit codes"},
		{"help without a command", nil, ExitOK, "Available Commands"},
		{"an unknown command", []string{"prob"}, ExitUsage, `karmor: unknown argument or command "prob"`},
		{"an unknown flag", []string{"probe", "--remote"}, ExitUsage, "unknown flag: --remote"},
		{"an unknown format", []string{"probe", "-o", "xml"}, ExitUsage, `--output "xml" is not one of table, wide, json, yaml`},
		{"a format of the other kind", []string{"probe", "--local", "-o", "wide"}, ExitUsage, `--output "wide" is not one of text, json, yaml`},
		{"an argument too many", []string{"probe", "node-1"}, ExitUsage, `karmor: probe: unknown argument or command "node-1"`},
		{"no cluster", []string{"probe"}, ExitFailed, "no cluster is configured"},
		{"a kubeconfig that is not there", []string{"probe", "--kubeconfig", "/nowhere"}, ExitFailed, "/nowhere"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := karmor(t, tt.args...)
			if got.code != tt.code || !strings.Contains(got.out+got.errors, tt.says) {
				t.Errorf("exit %d, want %d; %q does not say %q", got.code, tt.code, got.out+got.errors, tt.says)
			}
			if strings.Contains(got.errors, "karmor: karmor") {
				t.Errorf("it says twice who speaks: %q", got.errors)
			}
		})
	}
}

// kubeconfigFor writes a kubeconfig of one cluster.
func kubeconfigFor(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: k, cluster: {server: '" + server + "'}}]\n" +
		"contexts: [{name: c, context: {cluster: k, user: u}}]\nusers: [{name: u, user: {}}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAnUnreachableClusterIsToldInOneLine(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	got := karmor(t, "probe", "--kubeconfig", kubeconfigFor(t, server.URL))
	if got.code != ExitFailed || strings.Count(got.errors, "\n") != 1 || !strings.Contains(got.errors, "cannot be reached") || !strings.Contains(got.errors, "--kubeconfig") {
		t.Errorf("exit %d:\n%s", got.code, got.errors)
	}
}

func TestAClusterWithoutKubeArmorIsToldApart(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	got := karmor(t, "probe", "--kubeconfig", kubeconfigFor(t, server.URL))
	if got.code != ExitFailed || !strings.Contains(got.errors, "operator is not installed") {
		t.Errorf("exit %d: %s", got.code, got.errors)
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no","code":403}`))
	}))
	defer server.Close()
	got := karmor(t, "probe", "--kubeconfig", kubeconfigFor(t, server.URL))
	if got.code != ExitFailed || !strings.Contains(got.errors, "get and list on kubearmornodes") {
		t.Errorf("exit %d: %s", got.code, got.errors)
	}
}

func TestEveryPageOfAFleetIsRead(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/kubearmornodes") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"kind":"List","apiVersion":"v1","items":[]}`))
			return
		}
		asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery)
		list := v1.KubeArmorNodeList{Items: fleet()[:1]}
		list.SetGroupVersionKind(v1.GroupVersion.WithKind("KubeArmorNodeList"))
		if r.URL.Query().Get("continue") == "" {
			list.Continue = "more"
		} else {
			list.Items = fleet()[1:2]
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer server.Close()
	got := karmor(t, "probe", "--kubeconfig", kubeconfigFor(t, server.URL))
	want := []string{
		"/apis/operator.kubearmor.com/v1/kubearmornodes?continue=&limit=500&timeout=15s",
		"/apis/operator.kubearmor.com/v1/kubearmornodes?continue=more&limit=500&timeout=15s",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got.code != ExitOK || !strings.Contains(got.out, "worker-b") || !strings.Contains(got.out, "ip-10") {
		t.Errorf("exit %d:\n%s%s", got.code, got.out, got.errors)
	}
}
