// SPDX-License-Identifier: Apache-2.0

package node

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func probePod(phase corev1.PodPhase, state corev1.ContainerState) *corev1.Pod {
	p := &corev1.Pod{}
	p.CreationTimestamp = metav1.NewTime(noon())
	p.Spec.Containers = []corev1.Container{{Name: render.ProbeContainer, Image: "agent:1"}}
	p.Status.Phase = phase
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ProbeContainer, State: state}}
	return p
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "detail"}}
}

func TestOutcomeOfAProbePod(t *testing.T) {
	deadline := probePod(corev1.PodFailed, corev1.ContainerState{})
	deadline.Status.Reason = "DeadlineExceeded"
	rejected := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfpods", Message: "too many"}}
	ended := func(code int32, message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", Message: message}}
	}
	cases := []struct {
		name   string
		pod    *corev1.Pod
		age    time.Duration
		reason string
		words  string
	}{
		{"a Pod that the kubelet has not seen yet runs", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(noon())}}, 0, v1.ReasonProbeRunning, ""},
		{"a container that is being created runs", probePod(corev1.PodPending, waiting("ContainerCreating")), time.Second, v1.ReasonProbeRunning, ""},
		{"a pull that failed once is a failure", probePod(corev1.PodPending, waiting("ErrImagePull")), time.Second, v1.ReasonImagePullFailed, "agent:1: detail"},
		{"a pull that backs off is a failure", probePod(corev1.PodPending, waiting("ImagePullBackOff")), time.Second, v1.ReasonImagePullFailed, "detail"},
		{"a bad image name is a failure", probePod(corev1.PodPending, waiting("InvalidImageName")), time.Second, v1.ReasonImagePullFailed, "detail"},
		{"a container that cannot be created is a failure", probePod(corev1.PodPending, waiting("CreateContainerError")), time.Second, v1.ReasonProbeFailed, "detail"},
		{"an end without a message is unreadable", probePod(corev1.PodSucceeded, ended(0, "")), time.Second, v1.ReasonFactsUnreadable, "empty"},
		{"an end without a container is unreadable", &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}, time.Second, v1.ReasonFactsUnreadable, "empty"},
		{"a non-zero exit code is a failure that carries the message", probePod(corev1.PodFailed, ended(2, "no kernel")), time.Second, v1.ReasonProbeFailed, "exit code 2 (Error): no kernel"},
		{"the kubelet's deadline is a timeout", deadline, time.Second, v1.ReasonProbeTimeout, "did not end"},
		{"a Pod that the kubelet rejected is a failure", rejected, time.Second, v1.ReasonProbeFailed, "OutOfpods: too many"},
		{
			"a Pod long past its deadline is a timeout", probePod(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}),
			render.ProbeDeadlineSeconds*time.Second + overtime + time.Second, v1.ReasonProbeTimeout, "kubelet alive",
		},
		{
			"a Pod before its deadline runs", probePod(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}),
			render.ProbeDeadlineSeconds * time.Second, v1.ReasonProbeRunning, "",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := outcomeOf(c.pod, noon().Add(c.age))
			if got.reason != c.reason || !strings.Contains(got.message, c.words) {
				t.Errorf("got %s: %s", got.reason, got.message)
			}
			if wantFailure := c.reason != v1.ReasonProbeRunning; got.isFailure() != wantFailure {
				t.Errorf("isFailure is %v", got.isFailure())
			}
		})
	}
}

func TestRetryDoublesUpToItsBound(t *testing.T) {
	var got []time.Duration
	for failures := int32(1); failures <= 8; failures++ {
		got = append(got, retryAfter(failures))
	}
	s := time.Second
	if diff := cmp.Diff([]time.Duration{10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, lastRetry, lastRetry}, got); diff != "" {
		t.Error(diff)
	}
	if got := retryAfter(1 << 30); got != lastRetry {
		t.Errorf("after very many failures: %s", got)
	}
}

func TestLabelsAreOnlyWhatIsKnown(t *testing.T) {
	spec := v1.KubeArmorNodeSpec{Pool: "p", Verdict: &v1.Verdict{Enforcer: v1.EnforcerNone}, Facts: &v1.NodeFacts{
		BTF: v1.Fact{State: v1.FactNo}, Seccomp: v1.Fact{State: v1.FactUnknown},
		Runtime: v1.RuntimeFact{Name: "cri-o", Socket: "/run/crio/crio.sock", NRISocket: "/run/" + strings.Repeat("x", 80)},
	}}
	want := map[string]string{
		v1.LabelPool: "p", v1.LabelEnforcer: "none", v1.LabelRuntime: "cri-o", v1.LabelSocket: "run_crio_crio.sock", v1.LabelBTF: "no",
	}
	if diff := cmp.Diff(want, labelsOf(spec)); diff != "" {
		t.Error(diff)
	}
}

func TestFactsThatABusyNodeDidNotShowInTimeAreLookedForAgain(t *testing.T) {
	late := v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonTimedOut, Cause: "no answer"}
	for name, f := range map[string]v1.NodeFacts{
		"container runtime": {Runtime: v1.RuntimeFact{Fact: late}},
		"BPF-LSM canary":    {BPFLSM: v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonCanaryFailed, Cause: "no answer"}},
	} {
		if got := overdue(&f); !strings.Contains(got, name) || !strings.Contains(got, "no answer") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := overdue(&v1.NodeFacts{BPFLSM: v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonPermissionDenied}}); got != "" {
		t.Errorf("another look will be forbidden as well: %s", got)
	}
	if got := overdue(&v1.NodeFacts{AppArmor: late}); got != "" {
		t.Errorf("a fact that nothing needs yet is waited for: %s", got)
	}
}

func TestIncompleteFactsDoNotReplaceWholeOnes(t *testing.T) {
	whole, partial := &v1.NodeFacts{Kernel: "whole"}, &v1.NodeFacts{Kernel: "partial"}
	for _, c := range []struct {
		name         string
		before, want *v1.NodeFacts
	}{{"without facts they are better than none", nil, partial}, {"with facts they are not taken", whole, whole}} {
		t.Run(c.name, func(t *testing.T) {
			s := &scope{now: noon(), kan: &v1.KubeArmorNode{}, probe: probePod(corev1.PodSucceeded, corev1.ContainerState{})}
			s.kan.Spec.Facts = c.before
			(&Reconciler{}).harvest(s, outcome{reason: v1.ReasonProbeIncomplete, message: "late", facts: partial})
			if s.kan.Spec.Facts != c.want || s.kan.Spec.Probe.Failures != 1 {
				t.Errorf("facts %v, failures %d", s.kan.Spec.Facts, s.kan.Spec.Probe.Failures)
			}
		})
	}
}
