// SPDX-License-Identifier: Apache-2.0

package render_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func defaults() render.Defaults {
	return render.Defaults{Namespace: "kubearmor", Image: "docker.io/kubearmor/fleet-agent:v1", RelayImage: "docker.io/kubearmor/fleet-relay:v1"}
}

func plain() pool.Pool {
	return pool.Pool{
		Key: pool.Key{
			Arch: "amd64", Enforcer: v1.EnforcerBPF, Runtime: "containerd", RuntimeSocket: "/run/containerd/containerd.sock",
			Profile: pool.ProfilePlain, Image: "docker.io/kubearmor/fleet-agent:v1",
		},
		Nodes: []string{"a", "b"},
	}
}

// everything is a spec that sets each field that has an effect.
func everything() v1.KubeArmorConfigSpec {
	return v1.KubeArmorConfigSpec{
		DefaultFilePosture:     v1.PostureBlock,
		TLS:                    v1.TLSSpec{Enable: new(false), ExtraDNSNames: []string{"alerts.test"}, ExtraIPAddresses: []string{"10.0.0.1"}},
		GlobalImagePullSecrets: []corev1.LocalObjectReference{{Name: "fleet"}, {Name: "shared"}},
		GlobalTolerations:      []corev1.Toleration{{Key: "global", Operator: corev1.TolerationOpExists}},
		GlobalNodeSelector:     map[string]string{"protected": "yes"},
		GlobalEnv:              []corev1.EnvVar{{Name: "A", Value: "global"}, {Name: "B", Value: "global"}, {Name: "NODE_NAME", Value: "forged"}},
		KubeArmorRelayImage: v1.ImageSpec{
			Image: "registry.test/relay:2", ImagePullPolicy: corev1.PullAlways,
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "relay"}},
			Env:              []corev1.EnvVar{{Name: "B", Value: "relay"}},
			NodeSelector:     map[string]string{"relays": "yes"},
			Tolerations:      []corev1.Toleration{{Key: "relay", Operator: corev1.TolerationOpExists}},
		},
		KubeArmorImage: v1.ImageSpec{
			Image: "registry.test/agent:2", ImagePullPolicy: corev1.PullAlways,
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "shared"}, {Name: "agent"}},
			Env:              []corev1.EnvVar{{Name: "B", Value: "agent"}},
			NodeSelector:     map[string]string{"agents": "yes"},
			Tolerations:      []corev1.Toleration{{Key: "agent", Operator: corev1.TolerationOpEqual, Value: "x", Effect: corev1.TaintEffectNoSchedule}},
		},
	}
}

func TestGolden(t *testing.T) {
	bare := render.SettingsOf(v1.KubeArmorConfigSpec{}, defaults())
	full := render.SettingsOf(everything(), defaults())
	arm, selinux, bottlerocket := plain(), plain(), plain()
	arm.Arch, arm.Enforcer, arm.RuntimeSocket, arm.Runtime = "arm64", v1.EnforcerNone, "", ""
	selinux.Profile, selinux.Image = pool.ProfileSELinux, full.Image
	bottlerocket.Profile = pool.ProfileBottlerocket
	node := &corev1.Node{}
	node.Name = "node-1"
	node.Status.NodeInfo = corev1.NodeSystemInfo{
		BootID: "b", KernelVersion: "6.12", ContainerRuntimeVersion: "containerd://1.7", OSImage: "Oracle Linux Server 9.4",
	}
	cases := map[string][]render.Object{
		"shared":                 render.Children(bare, nil),
		"daemonset-bpf":          {render.DaemonSet(bare, plain())},
		"daemonset-observe-arm":  {render.DaemonSet(bare, arm)},
		"daemonset-bottlerocket": {render.DaemonSet(bare, bottlerocket)},
		"daemonset-all-settings": {render.DaemonSet(full, selinux)},
		"relay-all-settings":     render.Children(full, nil),
		"secret-authority":       {render.CertificateSecret("kubearmor", v1.SecretAuthority, map[string][]byte{"tls.crt": []byte("certificate")})},
		"secret-agent":           {render.CertificateSecret("kubearmor", v1.SecretAgent, map[string][]byte{"tls.crt": []byte("certificate")})},
		"probe":                  {render.ProbePod(bare, &corev1.Node{ObjectMeta: node.ObjectMeta})},
		"probe-all-settings":     {render.ProbePod(full, node)},
	}
	for name, objects := range cases {
		t.Run(name, func(t *testing.T) { golden(t, filepath.Join("testdata", name+".yaml"), toYAML(t, objects)) })
	}
}

func toYAML(t *testing.T, objects []render.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			t.Fatal(err)
		}
		delete(content, "status")
		raw, err := yaml.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(raw)
	}
	return out.Bytes()
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./internal/render -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; if that is meant: go test ./internal/render -update\n%s", path, diff)
	}
}

func TestSameInputGivesTheSameBytes(t *testing.T) {
	render1 := toYAML(t, render.Children(render.SettingsOf(everything(), defaults()), []pool.Pool{plain()}))
	for range 20 {
		if again := toYAML(t, render.Children(render.SettingsOf(everything(), defaults()), []pool.Pool{plain()})); !bytes.Equal(render1, again) {
			t.Fatal(cmp.Diff(string(render1), string(again)))
		}
	}
}

// The API server fills a null in, so that the writer would find the object different on each run and write it again.
func TestNothingIsRenderedAsNull(t *testing.T) {
	var look func(path string, value any)
	look = func(path string, value any) {
		switch v := value.(type) {
		case nil:
			t.Errorf("%s is null", path)
		case map[string]any:
			for field, child := range v {
				look(path+"."+field, child)
			}
		case []any:
			for _, child := range v {
				look(path+"[]", child)
			}
		}
	}
	for _, o := range render.Children(render.SettingsOf(everything(), defaults()), []pool.Pool{plain()}) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			t.Fatal(err)
		}
		delete(content, "status")
		look(fmt.Sprintf("%T", o), content)
	}
}

func TestEveryNodeIsTolerated(t *testing.T) {
	s := render.SettingsOf(everything(), defaults())
	for _, list := range [][]corev1.Toleration{
		render.DaemonSet(s, plain()).Spec.Template.Spec.Tolerations,
		render.ProbePod(s, &corev1.Node{}).Spec.Tolerations,
	} {
		if diff := cmp.Diff(corev1.Toleration{Operator: corev1.TolerationOpExists}, list[0]); diff != "" {
			t.Error(diff)
		}
		if len(list) != 3 {
			t.Errorf("the user's tolerations are lost: %v", list)
		}
	}
}

func TestSelectorsDoNotEndAnAgent(t *testing.T) {
	got := render.DaemonSet(render.SettingsOf(everything(), defaults()), plain()).Spec.Template.Spec.NodeSelector
	if diff := cmp.Diff(map[string]string{v1.LabelPool: plain().Name()}, got); diff != "" {
		t.Error(diff)
	}
}

func TestArgumentsForAnotherAgentDoNotReachOurs(t *testing.T) {
	spec := v1.KubeArmorConfigSpec{KubeArmorImage: v1.ImageSpec{Args: []string{"-enableKubeArmorHostPolicy"}}}
	for _, s := range []render.Settings{render.SettingsOf(v1.KubeArmorConfigSpec{}, defaults()), render.SettingsOf(spec, defaults())} {
		want := []string{
			"run", "--enforcer=bpf", "--runtime-endpoint=/run/containerd/containerd.sock",
			"--telemetry-tls-dir=/etc/kubearmor/tls", "--health-addr=:32766", "--metrics-addr=:32768",
		}
		if diff := cmp.Diff(want, render.DaemonSet(s, plain()).Spec.Template.Spec.Containers[0].Args); diff != "" {
			t.Error(diff)
		}
	}
}

func TestIgnoredFields(t *testing.T) {
	cases := []struct {
		name string
		spec v1.KubeArmorConfigSpec
		want []string
	}{
		{"an empty spec ignores nothing", v1.KubeArmorConfigSpec{}, nil},
		{"what has an effect is not named", everything(), nil},
		{"what has none is named, sorted", v1.KubeArmorConfigSpec{
			EnableNRI: true, KubeArmorControllerImage: v1.ImageSpec{Image: "x"}, KubeArmorRelayImage: v1.ImageSpec{Args: []string{"x"}},
		}, []string{"enableNRI", "kubearmorControllerImage", "kubearmorRelayImage.args"}},
		{"of the agent's image only the arguments have none", v1.KubeArmorConfigSpec{
			KubeArmorImage: v1.ImageSpec{Image: "x", Args: []string{"-enableKubeArmorHostPolicy"}},
		}, []string{"kubearmorImage.args"}},
		{"what is set to its zero value is not set", v1.KubeArmorConfigSpec{EnableNRI: false}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := render.IgnoredFields(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProbeInputsChangeWithEachOfThem(t *testing.T) {
	base := corev1.NodeSystemInfo{BootID: "b", KernelVersion: "k", ContainerRuntimeVersion: "r"}
	want := render.ProbeInputs(base, "i")
	others := map[string]string{
		"boot":    render.ProbeInputs(corev1.NodeSystemInfo{BootID: "b2", KernelVersion: "k", ContainerRuntimeVersion: "r"}, "i"),
		"kernel":  render.ProbeInputs(corev1.NodeSystemInfo{BootID: "b", KernelVersion: "k2", ContainerRuntimeVersion: "r"}, "i"),
		"runtime": render.ProbeInputs(corev1.NodeSystemInfo{BootID: "b", KernelVersion: "k", ContainerRuntimeVersion: "r2"}, "i"),
		"image":   render.ProbeInputs(base, "i2"),
		"shifted": render.ProbeInputs(corev1.NodeSystemInfo{BootID: "bk", ContainerRuntimeVersion: "r"}, "i"),
	}
	for name, got := range others {
		if got == want {
			t.Errorf("%s: the hash is the same", name)
		}
	}
	same := base
	same.OSImage, same.KubeletVersion = "other", "other"
	if got := render.ProbeInputs(same, "i"); got != want {
		t.Error("the hash depends on more than boot, kernel, runtime and image")
	}
}
