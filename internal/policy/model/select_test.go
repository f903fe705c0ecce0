// SPDX-License-Identifier: Apache-2.0

package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func documents(tb testing.TB) []Document {
	tb.Helper()
	labels := func(l map[string]string) securityv1.PodSelector { return securityv1.PodSelector{MatchLabels: l} }
	ksp := func(namespace, name string, s securityv1.PodSelector) runtime.Object {
		return &securityv1.KubeArmorPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: securityv1.KubeArmorPolicySpec{Selector: s},
		}
	}
	csp := &securityv1.KubeArmorClusterPolicy{ObjectMeta: metav1.ObjectMeta{Name: "all-but-bank"}}
	csp.Spec.Selector.MatchExpressions = []securityv1.ClusterExpression{{Key: "namespace", Operator: "NotIn", Values: []securityv1.Value{"bank"}}}
	hsp := &securityv1.KubeArmorHostPolicy{ObjectMeta: metav1.ObjectMeta{Name: "nodes"}}
	hsp.Spec.NodeSelector.MatchLabels = map[string]string{"kubernetes.io/os": "linux"}
	objects := []runtime.Object{
		ksp("shop", "every-pod", labels(nil)),
		ksp("shop", "web", labels(map[string]string{"app": "web"})),
		ksp("shop", "one-container", labels(map[string]string{"kubearmor.io/container.name": "lb"})),
		ksp("shop", "two-containers", labels(map[string]string{"kubearmor.io/container.name": "[lb,app]"})),
		ksp("shop", "unreadable", labels(map[string]string{"kubearmor.io/container.name": "[lb"})),
		ksp("bank", "elsewhere", labels(nil)),
		csp, hsp,
	}
	var out []Document
	for _, object := range objects {
		d, ok := Parse(object)
		if !ok {
			tb.Fatalf("%T is no policy", object)
		}
		out = append(out, d)
	}
	return out
}

func TestSelection(t *testing.T) {
	linux := map[string]string{"kubernetes.io/os": "linux"}
	annotated := func(namespace, word string) Subject {
		return Subject{Namespace: namespace, Container: "app", Annotations: map[string]string{"kubearmor-policy": word}}
	}
	tests := map[string]struct {
		subject Subject
		want    []string
		audited bool
	}{
		"a container has its namespace's and the cluster's policies": {
			Subject{Namespace: "shop", Container: "db"}, []string{"every-pod", "all-but-bank"}, false,
		},
		"those of its labels": {
			Subject{Namespace: "shop", Container: "db", Labels: map[string]string{"app": "web"}}, []string{"every-pod", "web", "all-but-bank"}, false,
		},
		"those of its name": {
			Subject{Namespace: "shop", Container: "lb"}, []string{"every-pod", "one-container", "two-containers", "all-but-bank"}, false,
		},
		"a list of names":                        {Subject{Namespace: "shop", Container: "app"}, []string{"every-pod", "two-containers", "all-but-bank"}, false},
		"another namespace":                      {Subject{Namespace: "bank", Container: "lb"}, []string{"elsewhere"}, false},
		"the host has host policies only":        {Subject{Host: true, Labels: linux}, []string{"nodes"}, false},
		"of its labels":                          {Subject{Host: true}, nil, false},
		"a container has no host policy":         {Subject{Namespace: "bank", Labels: linux}, []string{"elsewhere"}, false},
		"disabled: none":                         {annotated("bank", "disabled"), nil, false},
		"audited: all of them, none blocks":      {annotated("bank", "audited"), []string{"elsewhere"}, true},
		"enabled: as without":                    {annotated("bank", "enabled"), []string{"elsewhere"}, false},
		"system namespaces are left alone":       {annotated("kube-system", ""), nil, false},
		"unless a Pod asks for policies":         {annotated("kube-system", "enabled"), []string{"all-but-bank"}, false},
		"a host is audited by its annotation":    {Subject{Host: true, Labels: linux, Annotations: map[string]string{"kubearmor-policy": "audited"}}, []string{"nodes"}, true},
		"a host is left alone by its annotation": {Subject{Host: true, Labels: linux, Annotations: map[string]string{"kubearmor-policy": "disabled"}}, nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := Select(documents(t), tt.subject, Settings{SystemNamespaces: []string{"kube-system"}})
			var got []string
			for _, s := range w.Policies {
				got = append(got, s.Policy.Ref.Name)
				if s.AuditOnly != tt.audited {
					t.Errorf("%s: AuditOnly is %v", s.Policy.Ref, s.AuditOnly)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("selected (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPosturesOfASubject(t *testing.T) {
	config := Settings{Postures: map[policy.Domain]policy.Posture{policy.DomainFile: "block", policy.DomainNetwork: "block"}}
	annotated := Subject{NamespaceAnnotations: map[string]string{
		"kubearmor-file-posture": "allow", "kubearmor-network-posture": "alow", "kubearmor-capabilities-posture": "block",
	}}
	tests := map[string]struct {
		subject             Subject
		settings            Settings
		file, network, caps policy.Posture
	}{
		"audit unless set":                                      {Subject{}, Settings{}, "audit", "audit", "audit"},
		"the KubeArmorConfig sets them":                         {Subject{}, config, "block", "block", "audit"},
		"the namespace overrides it, but not by a typing error": {annotated, config, "allow", "block", "block"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := map[policy.Domain]policy.Posture{
				policy.DomainFile: tt.file, policy.DomainNetwork: tt.network, policy.DomainCapabilities: tt.caps,
			}
			if diff := cmp.Diff(want, Select(nil, tt.subject, tt.settings).Postures); diff != "" {
				t.Errorf("postures (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVisibility(t *testing.T) {
	words := func(pod, namespace string) Subject {
		return Subject{
			Annotations:          map[string]string{"kubearmor-visibility": pod},
			NamespaceAnnotations: map[string]string{"kubearmor-visibility": namespace},
		}
	}
	tests := map[string]struct {
		subject Subject
		want    []string
	}{
		"the default":                 {Subject{}, []string{"process"}},
		"the namespace overrides it":  {words("", "network, file"), []string{"file", "network"}},
		"the Pod overrides that":      {words("dns,ima,capabilities", "file"), []string{"capabilities", "dns", "ima"}},
		"none is none":                {words("none", "file"), nil},
		"unknown words are no others": {words("files,network,network", ""), []string{"network"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Visibility(tt.subject, "process")); diff != "" {
				t.Errorf("visibility (-want +got):\n%s", diff)
			}
		})
	}
}
