// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/root"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

func object(name string, labels, annotations map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: labels, Annotations: annotations}}
}

func running(namespace, pod, name string, cgroup compile.CgroupID) containers.Container {
	return containers.Container{
		ID: pod + name, Name: name, Pod: containers.PodRef{Namespace: namespace, Name: pod, UID: pod},
		Cgroup: compile.Cgroup{ID: cgroup, Level: 3}, Labels: map[string]string{"app": "from-sandbox"},
	}
}

func blockSh(report securityv1.Report) securityv1.Rules {
	return securityv1.Rules{Process: securityv1.Process{Report: report, MatchPaths: []securityv1.ProcessPath{{Path: "/bin/sh"}}}}
}

func hostPolicy(labels map[string]string) securityv1.KubeArmorHostPolicy {
	return securityv1.KubeArmorHostPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "h", UID: "h"},
		Spec: securityv1.KubeArmorHostPolicySpec{
			NodeSelector: securityv1.NodeSelector{MatchLabels: labels}, Rules: blockSh(securityv1.Report{}),
		},
	}
}

func clusterPolicy() securityv1.KubeArmorClusterPolicy {
	return securityv1.KubeArmorClusterPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "c", UID: "c"},
		Spec:       securityv1.KubeArmorClusterPolicySpec{Rules: blockSh(securityv1.Report{})},
	}
}

// bindings compiles and tells, for each cgroup, what it is bound to: "1: block /bin/sh" or "2: nothing".
func bindings(in inputs) []string {
	p := planner{system: "kubearmor", parsed: map[policyKey]*parsedPolicy{}}
	out := compile.Compile(p.workloads(in), enforcer.Abilities())
	var lines []string
	for cgroup, id := range out.Set.Bindings {
		for _, profile := range out.Set.Profiles {
			if profile.ID != id {
				continue
			}
			rules := "nothing"
			for _, r := range profile.Rules {
				rules = fmt.Sprintf("%s %s", map[compile.Action]string{compile.ActionAudit: "audit", compile.ActionBlock: "block"}[r.Action], r.Path)
			}
			lines = append(lines, fmt.Sprintf("%d: %s", cgroup.ID, rules))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestWhatIsBoundToWhat(t *testing.T) {
	linux := map[string]string{"kubernetes.io/os": "linux"}
	host := func(in inputs) inputs {
		in.root, in.podTrees = compile.Cgroup{ID: 1}, []compile.Cgroup{{ID: 2, Level: 1}}
		in.hostPolicies = []securityv1.KubeArmorHostPolicy{hostPolicy(linux)}
		return in
	}
	pods := []containers.Container{running("shop", "web", "app", 11), running("kube-system", "dns", "dns", 12), running("kubearmor", "agent", "agent", 13)}
	tests := map[string]struct {
		in   inputs
		want []string
	}{
		"a host policy binds the root and keeps it off every Pod": {
			host(inputs{node: object("n", linux, nil), containers: pods[:2]}),
			[]string{"11: nothing", "12: nothing", "1: block /bin/sh", "2: nothing"},
		},
		"a host policy of other nodes binds nothing": {host(inputs{node: object("n", nil, nil), containers: pods}), nil},
		"a host policy before the node is known":     {host(inputs{containers: pods}), nil},
		"an audited node": {
			host(inputs{node: object("n", linux, map[string]string{operatorv1.AnnotationPolicy: "audited"})}),
			[]string{"1: audit /bin/sh", "2: nothing"},
		},
		"a node that is taken out": {
			host(inputs{node: object("n", linux, map[string]string{operatorv1.AnnotationPolicy: "disabled"})}), nil,
		},
		"a cluster policy leaves system namespaces alone": {
			inputs{containers: pods, clusterPolicies: []securityv1.KubeArmorClusterPolicy{clusterPolicy()}},
			[]string{"11: block /bin/sh"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, bindings(tt.in)); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLabelsComeFromTheAPIServerWhenItKnowsThePod(t *testing.T) {
	c := running("shop", "web", "app", 11)
	pod := func(uid string, annotations map[string]string) map[types.NamespacedName]*metav1.PartialObjectMetadata {
		p := object("web", map[string]string{"app": "from-api"}, annotations)
		p.UID = types.UID(uid)
		return map[types.NamespacedName]*metav1.PartialObjectMetadata{{Namespace: "shop", Name: "web"}: p}
	}
	tests := map[string]struct {
		pods map[types.NamespacedName]*metav1.PartialObjectMetadata
		want string
	}{
		"the same Pod":                            {pod("web", nil), "from-api"},
		"the mirror of a static Pod":              {pod("other", map[string]string{annotationMirror: "web"}), "from-api"},
		"another Pod of the same name":            {pod("other", nil), "from-sandbox"},
		"a Pod that the API server does not know": {nil, "from-sandbox"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := podOf(c, tt.pods).Labels["app"]; got != tt.want {
				t.Errorf("labels %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPostures(t *testing.T) {
	settings := map[string]string{
		"defaultFilePosture": "block", "defaultNetworkPosture": "allow", "hostDefaultCapabilitiesPosture": "block", "hostDefaultFilePosture": "none",
	}
	namespace := func(annotation, posture string) map[string]*metav1.PartialObjectMetadata {
		return map[string]*metav1.PartialObjectMetadata{"shop": object("shop", nil, map[string]string{annotation: posture})}
	}
	for name, tt := range map[string]struct {
		in   inputs
		host bool
		want string
	}{
		"audit is the default":                     {inputs{}, false, "audit audit audit"},
		"the KubeArmorConfig sets them":            {inputs{settings: settings}, false, "block allow audit"},
		"the namespace overrides that of files":    {inputs{settings: settings, namespaces: namespace(operatorv1.AnnotationFilePosture, "allow")}, false, "allow allow audit"},
		"of the network":                           {inputs{settings: settings, namespaces: namespace(operatorv1.AnnotationNetworkPosture, "block")}, false, "block block audit"},
		"of capabilities":                          {inputs{settings: settings, namespaces: namespace(operatorv1.AnnotationCapabilitiesPosture, "block")}, false, "block allow block"},
		"a word that is none falls back to config": {inputs{settings: settings, namespaces: namespace(operatorv1.AnnotationFilePosture, "alow")}, false, "block allow audit"},
		"the host has its own":                     {inputs{settings: settings, namespaces: namespace(operatorv1.AnnotationFilePosture, "allow")}, true, "audit audit block"},
	} {
		t.Run(name, func(t *testing.T) {
			postures := podPostures(tt.in, "shop")
			if tt.host {
				postures = hostPostures(tt.in)
			}
			got := fmt.Sprintf("%s %s %s", postures[policy.DomainFile], postures[policy.DomainNetwork], postures[policy.DomainCapabilities])
			if got != tt.want {
				t.Errorf("postures of files, network and capabilities = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPathsAreFollowedInTheContainersOwnRoot(t *testing.T) {
	merged := t.TempDir()
	if err := os.MkdirAll(filepath.Join(merged, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(merged, "bin")); err != nil {
		t.Fatal(err)
	}
	c := running("shop", "web", "app", 11)
	c.Root = root.Directory(merged)
	t.Cleanup(c.Root.Close)
	in := inputs{containers: []containers.Container{c, running("shop", "web", "other", 12)}, clusterPolicies: []securityv1.KubeArmorClusterPolicy{clusterPolicy()}}
	p := planner{system: "kubearmor", parsed: map[policyKey]*parsedPolicy{}}
	out := compile.Compile(p.workloads(in), enforcer.Abilities())
	var got []string
	for _, profile := range out.Set.Profiles {
		if profile.ID == out.Set.Bindings[c.Cgroup] {
			for _, r := range profile.Rules {
				got = append(got, r.Path)
			}
		}
	}
	if diff := cmp.Diff([]string{"/bin/sh", "/usr/bin/sh"}, got); diff != "" || len(out.Set.Profiles) != 2 {
		t.Errorf("%d profiles; paths (-want +got):\n%s", len(out.Set.Profiles), diff)
	}
}

func TestPoliciesAreParsedOnceAndForgotten(t *testing.T) {
	p := planner{parsed: map[policyKey]*parsedPolicy{}}
	in := inputs{clusterPolicies: []securityv1.KubeArmorClusterPolicy{clusterPolicy()}}
	first := p.parse(in)[0]
	if p.parse(in)[0] != first {
		t.Error("the same generation was parsed twice")
	}
	in.clusterPolicies[0].Generation++
	if p.parse(in)[0] == first || len(p.parsed) != 1 {
		t.Errorf("a new generation must replace the old one; %d are kept", len(p.parsed))
	}
}

func TestStatusStaysWithinItsBounds(t *testing.T) {
	var results []compile.Result
	for i := range maxPolicies + 7 {
		results = append(results, compile.Result{
			Ref: compile.Ref{Kind: policy.KindPolicy, Namespace: "n", Name: fmt.Sprintf("p%04d", i)}, State: compile.StateRefused,
			Unsupported: []compile.Unsupported{{Rule: strings.Repeat("é", 600), Reason: compile.ReasonPattern, Message: "\xff"}},
		})
	}
	s := statusOf(facet{state: state{open: true, settled: true, results: results}}, nil)
	if len(s.Policies) != maxPolicies || s.PoliciesOmitted != 7 {
		t.Errorf("%d policies and %d omitted", len(s.Policies), s.PoliciesOmitted)
	}
	if message := s.Policies[0].Message; len([]rune(message)) > maxMessage || strings.Contains(message, "\xff") {
		t.Errorf("message of %d characters: %q", len([]rune(message)), message)
	}
	for _, c := range s.Conditions {
		if c.Type == operatorv1.NodePoliciesApplied && !strings.Contains(c.Message, "and 1004 more") {
			t.Errorf("message = %s", c.Message)
		}
	}
}

func TestNodeWhoseContainersCannotBeToldApartDoesNotClaimToEnforce(t *testing.T) {
	f := facet{state: state{open: true}, runtime: fmt.Errorf("open: %w", containers.ErrNested)}
	if c := f.enforcing(); c.Status != metav1.ConditionFalse || c.Reason != operatorv1.ReasonCgroupNotFound {
		t.Errorf("condition = %+v", c)
	}
	f.generation = 3
	if c := f.enforcing(); c.Status != metav1.ConditionTrue {
		t.Errorf("a generation that is pinned holds while the runtime is away; condition = %+v", c)
	}
}

func TestEnforcingIsClaimedOnceThereIsSomethingInForce(t *testing.T) {
	full := &sensor.TableFullError{Table: "rules", Need: 9, Capacity: 8}
	for name, tt := range map[string]struct {
		state state
		want  string
	}{
		"attached, and no set yet":         {state{open: true}, "Unknown Syncing"},
		"the first set was refused":        {state{open: true, applyError: full}, "False TableFull"},
		"adopted with a set":               {state{open: true, generation: 41}, "True Enforcing"},
		"adopted, and the next is refused": {state{open: true, generation: 41, applyError: full}, "True Enforcing"},
	} {
		t.Run(name, func(t *testing.T) {
			c := facet{state: tt.state}.enforcing()
			if got := string(c.Status) + " " + c.Reason; got != tt.want {
				t.Errorf("Enforcing is %s, want %s", got, tt.want)
			}
		})
	}
}

// unwalkable are containers whose cgroups must not be looked at.
type unwalkable struct {
	*nodeContainers
	t *testing.T
}

func (u unwalkable) Host() (compile.Cgroup, []compile.Cgroup, error) {
	u.t.Error("the cgroup hierarchy was walked for an event")
	return u.nodeContainers.Host()
}

func TestEventOfTheHostCostsNoLookAtTheCgroups(t *testing.T) {
	a := &Agent{o: Options{Containers: unwalkable{&nodeContainers{}, t}}}
	if !a.workload(1).Host || a.workload(5).Host {
		t.Error("the host is cgroup 1, and no other")
	}
}

func TestWaitsAreSpread(t *testing.T) {
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := around(10*time.Second, retryJitter)
		least, most = min(least, d), max(most, d)
	}
	if least < 5*time.Second || least > 6*time.Second || most > 15*time.Second || most < 14*time.Second {
		t.Errorf("waits from %s to %s, want about 5s to 15s", least, most)
	}
}

func TestUpdatesOfAStatusDoNotMatter(t *testing.T) {
	policy := func(generation int64, pods int32) any {
		p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{UID: "u", Generation: generation}}
		p.Status.Pods = pods
		return p
	}
	pod := func(version, label string) any {
		p := object("web", map[string]string{"app": label}, nil)
		p.ResourceVersion = version
		return p
	}
	for name, tt := range map[string]struct {
		before, after any
		want          bool
	}{
		"the spec of a policy":       {policy(1, 0), policy(2, 0), true},
		"the status of a policy":     {policy(1, 0), policy(1, 5), false},
		"the labels of a Pod":        {pod("1", "a"), pod("2", "b"), true},
		"the status of a Pod":        {pod("1", "a"), pod("2", "a"), false},
		"another Pod of the name":    {pod("1", "a"), object("other", map[string]string{"app": "a"}, nil), true},
		"the data of the ConfigMap":  {&corev1.ConfigMap{}, &corev1.ConfigMap{}, true},
		"what is not known any more": {nil, policy(1, 0), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := matters(tt.before, tt.after); got != tt.want {
				t.Errorf("matters = %v, want %v", got, tt.want)
			}
		})
	}
}
