// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

func ksp(labels map[string]string, terms ...securityv1.LabelExpression) *securityv1.KubeArmorPolicy {
	return &securityv1.KubeArmorPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p"},
		Spec: securityv1.KubeArmorPolicySpec{
			Selector: securityv1.PodSelector{MatchLabels: labels, MatchExpressions: terms},
		},
	}
}

func labelTerm(op securityv1.Operator, values ...securityv1.Value) securityv1.LabelExpression {
	return securityv1.LabelExpression{Key: securityv1.KeyLabel, Operator: op, Values: values}
}

func TestPolicySelectsPods(t *testing.T) {
	web := Pod{Namespace: "shop", Labels: map[string]string{"app": "web", "tier": "front"}}
	tests := map[string]struct {
		policy *securityv1.KubeArmorPolicy
		pod    Pod
		want   bool
	}{
		"an empty selector selects every Pod of the namespace": {ksp(nil), web, true},
		"no Pod of another namespace is selected":              {ksp(nil), Pod{Namespace: "bank"}, false},
		"every label must match":                               {ksp(map[string]string{"app": "web", "tier": "front"}), web, true},
		"one label that differs is enough to miss":             {ksp(map[string]string{"app": "web", "tier": "back"}), web, false},
		"a label that is missing is not an empty one":          {ksp(map[string]string{"zone": ""}), web, false},
		"the container's name is not a label of the Pod":       {ksp(map[string]string{"kubearmor.io/container.name": "lb"}), web, true},
		"In holds with one of the values":                      {ksp(nil, labelTerm("In", "app=db", "app=web")), web, true},
		"In fails with none of them":                           {ksp(nil, labelTerm("In", "app=db")), web, false},
		"NotIn fails with one of them":                         {ksp(nil, labelTerm("NotIn", "app=db", "app=web")), web, false},
		"NotIn holds where the label is missing":               {ksp(nil, labelTerm("NotIn", "zone=a")), web, true},
		"all expressions must hold":                            {ksp(nil, labelTerm("In", "app=web"), labelTerm("NotIn", "tier=front")), web, false},
		"labels and expressions must hold together":            {ksp(map[string]string{"app": "db"}, labelTerm("In", "tier=front")), web, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := ForPolicy(tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.SelectsPod(tt.pod); got != tt.want {
				t.Errorf("SelectsPod = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestContainerNames(t *testing.T) {
	tests := map[string]struct {
		value            string
		selected, missed []string
	}{
		"a bare name":              {"lb", []string{"lb"}, []string{"lb2", "app"}},
		"a bracketed list":         {"[lb,app]", []string{"lb", "app"}, []string{"db"}},
		"a list with blanks":       {" [ lb , app ] ", []string{"lb", "app"}, []string{"db"}},
		"a list with a single one": {"[lb]", []string{"lb"}, []string{"app"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := ForPolicy(ksp(map[string]string{"kubearmor.io/container.name": tt.value}))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range tt.selected {
				if !s.SelectsContainer(c) {
					t.Errorf("container %q is not selected", c)
				}
			}
			for _, c := range tt.missed {
				if s.SelectsContainer(c) {
					t.Errorf("container %q is selected", c)
				}
			}
		})
	}
}

func TestUnreadableSelectorsSelectNothingAndSayWhy(t *testing.T) {
	tests := map[string]struct {
		policy *securityv1.KubeArmorPolicy
		says   string
	}{
		"a list that is not closed":   {ksp(map[string]string{"kubearmor.io/container.name": "[a,b"}), "no closing bracket"},
		"a list without brackets":     {ksp(map[string]string{"kubearmor.io/container.name": "a,b"}), "write a list in brackets"},
		"an empty name":               {ksp(map[string]string{"kubearmor.io/container.name": "[a,]"}), "no container's name"},
		"a value without equals sign": {ksp(nil, labelTerm("In", "web")), "spec.selector.matchExpressions[0]: value \"web\" is not key=value"},
		"no values":                   {ksp(nil, labelTerm("In")), "values is empty"},
		"an unknown operator":         {ksp(nil, labelTerm("Exists", "a=b")), "use In or NotIn"},
		"an unknown key": {
			ksp(nil, securityv1.LabelExpression{Key: "namespace", Operator: "In", Values: []securityv1.Value{"a"}}), "use label",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := ForPolicy(tt.policy)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error = %v, want one with %q", err, tt.says)
			}
			if s.SelectsPod(Pod{Namespace: "shop", Labels: map[string]string{"a": "b"}}) || s.SelectsContainer("a") {
				t.Error("it selects")
			}
		})
	}
}

func TestClusterPolicySelectsByNamespaceAndLabel(t *testing.T) {
	type e = securityv1.ClusterExpression
	nginx1 := Pod{Namespace: "nginx1", Labels: map[string]string{"app": "nginx"}}
	tests := map[string]struct {
		terms []e
		want  bool
	}{
		"an empty selector selects every Pod": {nil, true},
		"its namespace":                       {[]e{{Key: "namespace", Operator: "In", Values: []securityv1.Value{"x", "nginx1"}}}, true},
		"other namespaces":                    {[]e{{Key: "namespace", Operator: "NotIn", Values: []securityv1.Value{"nginx1"}}}, false},
		"namespace and label":                 {[]e{{Key: "namespace", Operator: "In", Values: []securityv1.Value{"nginx1"}}, {Key: "label", Operator: "NotIn", Values: []securityv1.Value{"app=nginx"}}}, false},
		"label":                               {[]e{{Key: "label", Operator: "In", Values: []securityv1.Value{"app=nginx"}}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := &securityv1.KubeArmorClusterPolicy{}
			p.Spec.Selector.MatchExpressions = tt.terms
			s, err := ForClusterPolicy(p)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.SelectsPod(nginx1); got != tt.want {
				t.Errorf("SelectsPod = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestHostPolicyNeedsALabel(t *testing.T) {
	p := &securityv1.KubeArmorHostPolicy{}
	labels := map[string]string{"kubernetes.io/os": "linux"}
	if SelectsNode(p, labels) {
		t.Error("a selector without labels selects a node")
	}
	p.Spec.NodeSelector.MatchLabels = labels
	if !SelectsNode(p, labels) || SelectsNode(p, nil) {
		t.Error("a node is not selected by its label")
	}
}

func TestTreatment(t *testing.T) {
	pod := func(namespace, annotation string) Pod {
		return Pod{Namespace: namespace, Annotations: map[string]string{"kubearmor-policy": annotation}}
	}
	system := SystemNamespaces("kubearmor")
	tests := map[string]struct {
		pod  Pod
		want Treatment
	}{
		"policies hold by default":                       {Pod{Namespace: "shop"}, Enabled},
		"disabled takes the Pod out":                     {pod("shop", "disabled"), Untracked},
		"audited":                                        {pod("shop", "audited"), Audited},
		"a typing error takes no protection away":        {pod("shop", "dissabled"), Enabled},
		"kube-system is untracked":                       {Pod{Namespace: "kube-system"}, Untracked},
		"so is the product's own namespace":              {Pod{Namespace: "kubearmor"}, Untracked},
		"a Pod of a system namespace may ask for it":     {pod("kube-system", "enabled"), Enabled},
		"a typing error does not track a system's Pod":   {pod("kube-system", "yes"), Untracked},
		"a Pod of a system namespace may ask for audits": {pod("kube-system", "audited"), Audited},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Treat(tt.pod, system); got != tt.want {
				t.Errorf("Treat = %v, want %v", got, tt.want)
			}
		})
	}
}
