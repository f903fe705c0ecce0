// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
	"github.com/kubearmor/kubearmor-operator/test/testbed/images"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
)

const (
	// logsName is that of the namespace, of the Deployment in it, and of its container.
	logsName = "logs"
	// logsRounds of the four operations are measured.
	logsRounds = 25
	// logsMedian is what the product promises.
	logsMedian = time.Second
	// logsLost is when a line that does not come counts as lost.
	logsLost = 30 * time.Second
)

// logsWorkload is a Deployment of its own: the policies of the other subtests do not select it.
const logsWorkload = `
apiVersion: v1
kind: Namespace
metadata: {name: logs}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: logs, namespace: logs}
spec:
  selector: {matchLabels: {app: logs}}
  template:
    metadata: {labels: {app: logs}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      nodeSelector: {kubernetes.io/hostname: %s}
      tolerations: [{operator: Exists}]
      containers:
      - {name: logs, image: "` + images.Workload + `", imagePullPolicy: IfNotPresent}
`

// The shell that does what it is told, and the programs that it starts, must be told apart as process and parent: so these are
// copies, as links to busybox would be one executable.
const (
	logsShell  = "/bin/busybox"
	logsReader = "/work/cat"
	logsRooter = "/work/chroot"
)

// logsOrders makes the programs, then does one order a line, and answers each by its status and words on one line.
const logsOrders = `set -fe
mkdir -p /work
cp ` + logsShell + ` ` + logsReader + `
cp ` + logsShell + ` ` + logsRooter + `
set +e
echo ready
while read -r order; do
	said=$(eval "$order" 2>&1 </dev/null)
	echo $? $said
done`

// observation is one operation in the Pod, and what its line in karmor logs must hold.
type observation struct {
	command string
	// rules of its policy, as YAML; the rest of the policy is in want.
	rules string
	// rulePath is the place of its rule in the policy, comm the name of the thread.
	rulePath, comm string
	want           product.Alert
}

func observations() []observation {
	return []observation{
		{
			command: images.AllowedTool, rules: "process: {matchPaths: [{path: " + images.AllowedTool + "}]}",
			// A denied execution is the doing of the shell's child, which is still the shell.
			rulePath: "spec.process.matchPaths[0]", comm: "sh",
			want: product.Alert{
				PolicyName: "no-exec", Severity: "9", Tags: "MITRE,T1059", Message: "no such program", Action: "Block", Result: "Permission denied",
				Operation: "Process", Resource: images.AllowedTool, Data: "lsm=SECURITY_BPRM_CHECK", ProcessName: images.AllowedTool,
			},
		},
		{
			command: logsReader + " " + images.SecretFile, rules: "file: {matchPaths: [{path: " + images.SecretFile + "}]}",
			rulePath: "spec.file.matchPaths[0]", comm: "cat",
			want: product.Alert{
				PolicyName: "no-read", Severity: "8", Tags: "MITRE,T1552", Message: "no secrets", Action: "Block", Result: "Permission denied",
				Operation: "File", Resource: images.SecretFile, Data: "lsm=FILE_OPEN flags=O_RDONLY", ProcessName: logsReader,
			},
		},
		{
			command: images.BlockedTool + " -q -O - http://127.0.0.1:9/", rules: "network: {matchProtocols: [{protocol: tcp}]}",
			rulePath: "spec.network.matchProtocols[0]", comm: "wget",
			want: product.Alert{
				PolicyName: "no-connect", Severity: "7", Tags: "MITRE,T1071", Message: "no connections", Action: "Block", Result: "Permission denied",
				// A protocol that is blocked ends the attempt at its first step: the socket to connect is not made. wget leaves the
				// choice of the protocol to the kernel, which is 0.
				Operation: "Network", Resource: "family=AF_INET type=SOCK_STREAM protocol=0", Data: "lsm=SOCKET_CREATE", ProcessName: images.BlockedTool,
			},
		},
		{
			command: logsRooter + " / /bin/true", rules: "capabilities: {matchCapabilities: [{capability: sys_chroot}]}",
			rulePath: "spec.capabilities.matchCapabilities[0]", comm: "chroot",
			want: product.Alert{
				PolicyName: "watch-capability", Severity: "3", Tags: "MITRE,T1611", Message: "who changes its root", Action: "Audit", Result: "Passed",
				Operation: "Capabilities", Resource: "CAP_SYS_CHROOT", Data: "lsm=CAPABLE", ProcessName: logsRooter,
			},
		},
	}
}

func (o observation) policy() string {
	w := o.want
	return fmt.Sprintf(`---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: %s, namespace: %s}
spec:
  selector: {matchLabels: {app: logs}}
  severity: %s
  tags: [%s]
  message: %s
  action: %s
  %s
`, w.PolicyName, logsName, w.Severity, w.Tags, w.Message, w.Action, o.rules)
}

// alert that must come of the operation in a Pod.
func (o observation) alert(pod *corev1.Pod) product.Alert {
	w := o.want
	w.HostName, w.NamespaceName, w.PodName, w.ContainerName = pod.Spec.NodeName, logsName, pod.Name, logsName
	w.Owner = product.Owner{Ref: "Deployment", Name: logsName, Namespace: logsName}
	w.ParentProcessName, w.Type, w.Enforcer = logsShell, "MatchedPolicy", "BPFLSM"
	w.EventData = map[string]string{"PolicyKind": "KubeArmorPolicy", "RulePath": o.rulePath, "Comm": o.comm}
	return w
}

// answered says whether the Pod's answer is that of the operation's verdict.
func (o observation) answered(answer string) bool {
	if o.want.Action == "Block" {
		return !strings.HasPrefix(answer, "0") && strings.Contains(answer, o.want.Result)
	}
	return answer == "0"
}

// difference between a line and the alert that it must be; empty where there is none. Of EventData only what is wanted counts: the
// rest, such as a rule's number, differs from run to run.
func difference(line string, want product.Alert) string {
	var got product.Alert
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		return err.Error()
	}
	maps.DeleteFunc(got.EventData, func(key, _ string) bool { _, wanted := want.EventData[key]; return !wanted })
	return cmp.Diff(want, got)
}

// testLogs measures from before the order for an operation is sent until its line is read, by one clock, this machine's. The way of
// the order into the Pod counts too, but not the start of `kubectl exec`, which takes seconds in an emulated machine: one stays open.
func testLogs(t *testing.T, s *suite) {
	pod := s.startLogsWorkload(t)
	shell := begin(t, s.Kubectl, "--kubeconfig", s.Kubeconfig, "-n", logsName, "exec", "-i", pod.Name, "--", "sh", "-c", logsOrders)
	shell.next(t, time.Minute, "the shell in the Pod is ready")
	// Only now: what runc does on the way into a container would match as well, setns(2) needs CAP_SYS_CHROOT.
	s.applyLogsPolicies(t)
	logs := begin(t, filepath.Join(s.Root, "bin", runtime.GOARCH, "karmor"), "logs", "--kubeconfig", s.Kubeconfig, "-o", "json", "--follow",
		"--namespace", logsName, "--pod", pod.Name)
	awaitLogs(t, shell, logs)
	var took, way []float64
	for round := range logsRounds {
		for _, o := range observations() {
			sent := time.Now()
			answer := shell.order(t, o.command)
			if !o.answered(answer.text) {
				t.Errorf("round %d: %s: %q is not the answer of %s", round, o.command, answer.text, o.want.Action)
			}
			// One operation at a time: the next line is its own, or one too many.
			line := logs.next(t, logsLost, fmt.Sprintf("round %d: the line on %s", round, o.command))
			if diff := difference(line.text, o.alert(pod)); diff != "" {
				t.Fatalf("round %d: %s: the line differs (-want +got):\n%s\n%s", round, o.command, diff, line.text)
			}
			took, way = append(took, line.at.Sub(sent).Seconds()), append(way, answer.at.Sub(sent).Seconds())
		}
	}
	for _, line := range logs.rest() {
		t.Errorf("a line of no operation, or a second one of the same: %s", line.text)
	}
	checkTook(t, took, way)
}

// awaitLogs returns when everything between the Pod and karmor is connected, which is seen by a line that comes. It leaves none unread.
func awaitLogs(t *testing.T, shell, logs *program) {
	t.Helper()
	within(t, time.Minute, "karmor logs follows", func(context.Context) (bool, string, error) {
		shell.order(t, observations()[0].command)
		select {
		case _, more := <-logs.lines:
			if !more {
				t.Fatalf("karmor logs has ended; %s", logs.said())
			}
			return true, "", nil
		case <-time.After(5 * time.Second):
			return false, "no line; " + logs.said(), nil
		}
	})
	logs.rest()
}

func checkTook(t *testing.T, took, way []float64) {
	t.Helper()
	median := stats.Median(took)
	slices.Sort(took)
	t.Logf("%d lines: median %.3f s, p90 %.3f s, maximum %.3f s; into the Pod and back: median %.3f s",
		len(took), median, took[len(took)*9/10-1], took[len(took)-1], stats.Median(way))
	if median > logsMedian.Seconds() {
		t.Errorf("the median of %d lines is %.3f s, over %s", len(took), median, logsMedian)
	}
}

// startLogsWorkload returns the Deployment's Pod, on a node that enforces, when everything on the way to karmor is there.
func (s *suite) startLogsWorkload(t *testing.T) *corev1.Pod {
	t.Helper()
	if err := s.WaitSettled(t.Context(), 6*time.Minute, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "-n", product.Namespace, "wait", "--for=condition="+operatorv1.ConfigRelayReady, "--timeout=180s", "kubearmorconfig/"+product.ConfigName)
	name := s.node(t, true).Name
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if _, err := s.Run(ctx, "delete", "namespace", logsName, "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
	if err := s.Apply(t.Context(), fmt.Sprintf(logsWorkload, name)); err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "-n", logsName, "rollout", "status", "deployment/"+logsName, "--timeout=180s")
	pod, err := s.PodOn(t.Context(), logsName, name, map[string]string{"app": logsName})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// applyLogsPolicies returns when each policy's status says that it is Enforced.
func (s *suite) applyLogsPolicies(t *testing.T) {
	t.Helper()
	var manifest strings.Builder
	for _, o := range observations() {
		manifest.WriteString(o.policy())
	}
	if err := s.Apply(t.Context(), manifest.String()); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, "the policies are Enforced", func(ctx context.Context) (bool, string, error) {
		for _, o := range observations() {
			var p securityv1.KubeArmorPolicy
			if err := s.Client.Get(ctx, client.ObjectKey{Namespace: logsName, Name: o.want.PolicyName}, &p); err != nil {
				return false, "", err
			}
			current := p.Status.ObservedGeneration == p.Generation && p.Status.Pods == 1
			if !current || !meta.IsStatusConditionTrue(p.Status.Conditions, securityv1.PolicyEnforced) {
				return false, fmt.Sprintf("%s of generation %d: %+v", p.Name, p.Generation, p.Status), nil
			}
		}
		return true, "", nil
	})
}

// program runs until the test ends.
type program struct {
	in    io.Writer
	lines chan readLine
	// errors is the file of its standard error.
	errors string
}

// readLine is a line of standard output and when it was read.
type readLine struct {
	at   time.Time
	text string
}

func begin(t *testing.T, name string, args ...string) *program {
	t.Helper()
	errors, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer errors.Close()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = errors
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s (`make build` makes the product's own): %v", name, err)
	}
	p := &program{in: in, lines: make(chan readLine, 256), errors: errors.Name()}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- readLine{time.Now(), lines.Text()}
		}
	}()
	t.Cleanup(func() {
		for range p.lines {
		}
		_ = cmd.Wait() // the test's end killed it
	})
	return p
}

// said is what the program wrote to standard error.
func (p *program) said() string {
	text, err := os.ReadFile(p.errors)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("its standard error: %q", text)
}

func (p *program) next(t *testing.T, limit time.Duration, what string) readLine {
	t.Helper()
	select {
	case line, more := <-p.lines:
		if !more {
			t.Fatalf("%s: the program has ended; %s", what, p.said())
		}
		return line
	case <-time.After(limit):
		t.Fatalf("%s: not within %s; %s", what, limit, p.said())
	}
	return readLine{}
}

// order makes the shell in the Pod do something, and returns its answer.
func (p *program) order(t *testing.T, command string) readLine {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		t.Fatalf("order %q: %v; %s", command, err, p.said())
	}
	return p.next(t, logsLost, "the Pod's answer to "+command)
}

// rest is what comes until nothing has come for a while, many times longer than a line takes.
func (p *program) rest() []readLine {
	var out []readLine
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				return out
			}
			out = append(out, line)
		case <-time.After(3 * time.Second):
			return out
		}
	}
}

// TestObservationsAreWhatTheProductWrites holds what testLogs wants against the product's own code, as far as that goes without a kernel.
func TestObservationsAreWhatTheProductWrites(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Name, pod.Spec.NodeName = "logs-5d5f-x2x4z", "bpf-amd64"
	workload := telemetry.Workload{
		Namespace: logsName, Pod: pod.Name, Container: logsName, ContainerID: "c0ffee", Owner: &telemetry.Owner{Ref: "Deployment", Name: logsName, Namespace: logsName},
	}
	const socket = "family=AF_INET type=SOCK_STREAM protocol=0"
	events := map[string]enforcer.Event{
		"no-exec": {
			Domain: compile.DomainProcess, Operation: enforcer.OperationExec, Denied: true, Comm: "sh",
			Resource: images.AllowedTool, Source: logsShell, ParentSource: "/init",
		},
		"no-read": {
			Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Denied: true, Comm: "cat",
			Resource: images.SecretFile, Source: logsReader, ParentSource: logsShell,
		},
		"no-connect": {
			Domain: compile.DomainNetwork, Operation: enforcer.OperationSocket, Denied: true, Comm: "wget",
			Resource: socket, Source: images.BlockedTool, ParentSource: logsShell,
		},
		"watch-capability": {
			Domain: compile.DomainCapabilities, Operation: enforcer.OperationCapable, Comm: "chroot",
			Resource: "CAP_SYS_CHROOT", Source: logsRooter, ParentSource: logsShell,
		},
	}
	for _, o := range observations() {
		t.Run(o.want.PolicyName, func(t *testing.T) {
			var p securityv1.KubeArmorPolicy
			if err := yaml.UnmarshalStrict([]byte(o.policy()), &p); err != nil {
				t.Fatal(err)
			}
			read := parse.KubeArmorPolicy(&p)
			if len(read.Rules) != 1 || len(read.Problems) > 0 {
				t.Fatalf("%d rules, problems %v", len(read.Rules), read.Problems)
			}
			r, e := read.Rules[0], events[o.want.PolicyName]
			e.Action = r.Action
			rule := &compile.RuleInfo{Policy: read.Ref, Severity: r.Severity, Tags: r.Tags, Message: r.Message, Action: r.Action, Rule: r.At}
			var line bytes.Buffer
			if err := feeder.WriteJSON(&line, telemetry.New(telemetry.Node{Name: pod.Spec.NodeName}, e, workload, rule)); err != nil {
				t.Fatal(err)
			}
			if diff := difference(line.String(), o.alert(pod)); diff != "" {
				t.Errorf("the line differs (-want +got):\n%s\n%s", diff, line.String())
			}
			other := o.alert(pod)
			other.Owner.Name = "another"
			if difference(line.String(), other) == "" {
				t.Error("another owner makes no difference")
			}
		})
	}
}
