// SPDX-License-Identifier: Apache-2.0

package pool_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
)

func node(name string, change ...func(*v1.KubeArmorNodeSpec)) v1.KubeArmorNode {
	n := v1.KubeArmorNode{}
	n.Name = name
	n.Spec = v1.KubeArmorNodeSpec{
		Facts: &v1.NodeFacts{
			Arch:         "amd64",
			Kernel:       "6.12.0",
			BootID:       name,
			Distribution: v1.Distribution{ID: "debian"},
			Runtime:      v1.RuntimeFact{Name: "containerd", Socket: "/run/containerd/containerd.sock"},
		},
		Verdict: &v1.Verdict{Enforcer: v1.EnforcerBPF},
		Image:   "agent:1",
		Pool:    "set",
	}
	for _, c := range change {
		c(&n.Spec)
	}
	return n
}

func TestNodesShareAPool(t *testing.T) {
	base := node("base")
	cases := []struct {
		name  string
		other v1.KubeArmorNode
		same  bool
	}{
		{"when they differ only in name and boot", node("b"), true},
		{"when they differ in kernel", node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.Kernel = "5.10.0" }), true},
		{"when they differ in distribution without a profile", node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.Distribution.ID = "ubuntu" }), true},
		{"when they differ in BTF and nothing else", node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.BTF.State = v1.FactYes }), true},
		{"but not across architectures", node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.Arch = "arm64" }), false},
		{"but not across enforcers", node("b", func(s *v1.KubeArmorNodeSpec) { s.Verdict.Enforcer = v1.EnforcerNone }), false},
		{"but not across runtime sockets", node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.Runtime.Socket = "/run/crio/crio.sock" }), false},
		{"but not across images", node("b", func(s *v1.KubeArmorNodeSpec) { s.Image = "agent:2" }), false},
		{"but not with SELinux on one of them", node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.SELinux.State = v1.FactYes }), false},
		{"but not with Bottlerocket on one of them", node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.Distribution.ID = "bottlerocket" }), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, okA := pool.KeyOf(base.Spec)
			b, okB := pool.KeyOf(c.other.Spec)
			if !okA || !okB {
				t.Fatal("a node with facts, verdict and image has no pool")
			}
			if got := a.Name() == b.Name(); got != c.same {
				t.Errorf("same pool: %v, want %v", got, c.same)
			}
		})
	}
}

func TestNodeHasNoPool(t *testing.T) {
	cases := map[string]func(*v1.KubeArmorNodeSpec){
		"without facts":     func(s *v1.KubeArmorNodeSpec) { s.Facts = nil },
		"without a verdict": func(s *v1.KubeArmorNodeSpec) { s.Verdict = nil },
		"without an image":  func(s *v1.KubeArmorNodeSpec) { s.Image = "" },
	}
	for name, change := range cases {
		n := node("a", change)
		if _, ok := pool.KeyOf(n.Spec); ok {
			t.Errorf("a node %s has a pool", name)
		}
		if got := pool.Partition([]v1.KubeArmorNode{n}); len(got) != 0 {
			t.Errorf("a node %s is in %v", name, got)
		}
	}
	leaving := node("a", func(s *v1.KubeArmorNodeSpec) { s.Pool = "" })
	if got := pool.Partition([]v1.KubeArmorNode{leaving}); len(got) != 0 {
		t.Errorf("a node that left its pool is in %v", got)
	}
}

func TestNameOfAKeyNeverChanges(t *testing.T) {
	key, _ := pool.KeyOf(node("a").Spec)
	// A change here moves every node of every fleet to another DaemonSet on the operator's upgrade.
	if got, want := key.Name(), "62902183d5"; got != want {
		t.Errorf("name is %s, want %s", got, want)
	}
}

func TestPartitionDoesNotDependOnOrder(t *testing.T) {
	nodes := []v1.KubeArmorNode{
		node("c"), node("a"), node("b", func(s *v1.KubeArmorNodeSpec) { s.Facts.Arch = "arm64" }), node("d"),
	}
	want := pool.Partition(nodes)
	if len(want) != 2 {
		t.Fatalf("%d pools, want 2", len(want))
	}
	for range 20 {
		rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		if diff := cmp.Diff(want, pool.Partition(nodes)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestProfileOfImage(t *testing.T) {
	cases := map[string]pool.Profile{
		"Debian GNU/Linux 12 (bookworm)":        pool.ProfilePlain,
		"Bottlerocket OS 1.20.0 (aws-k8s-1.29)": pool.ProfileBottlerocket,
		"Red Hat Enterprise Linux 9.4 (Plow)":   pool.ProfileSELinux,
		"Oracle Linux Server 9.4":               pool.ProfileSELinux,
		"Container-Optimized OS from Google":    pool.ProfilePlain,
		"Ubuntu 24.04.1 LTS":                    pool.ProfilePlain,
		"Talos (v1.8.0)":                        pool.ProfilePlain,
	}
	for image, want := range cases {
		if got := pool.ProfileOfImage(image); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}
