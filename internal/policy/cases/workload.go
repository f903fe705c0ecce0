// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// defaultNamespace of workloads and policies that name none.
const defaultNamespace = "default"

// ownNamespace is where the product is installed unless somebody chose otherwise.
const ownNamespace = "kubearmor"

// Workload as a person writes it: one container, or the host.
type Workload struct {
	Namespace string `yaml:"namespace"`
	// Labels of the Pod, or of the node.
	Labels map[string]string `yaml:"labels"`
	// Annotations of the Pod, or of the node.
	Annotations map[string]string `yaml:"annotations"`
	Container   string            `yaml:"container"`
	Host        bool              `yaml:"host"`
	// Every policy selects it.
	Every bool `yaml:"-"`
}

// Check says what cannot be.
func (w Workload) Check() error {
	switch {
	case w.Host && w.Namespace != "":
		return mistake("namespace", "has no meaning for the host; leave it out")
	case w.Host && w.Container != "":
		return mistake("container", "has no meaning for the host; leave it out")
	}
	return nil
}

// Posture by domain: file (processes too), network (DNS too), capabilities.
type Posture map[string]string

// domains that have a posture of their own.
func domains() map[string]policy.Domain {
	return map[string]policy.Domain{
		"file": policy.DomainFile, "network": policy.DomainNetwork, "capabilities": policy.DomainCapabilities,
	}
}

// Model is the postures as the reference model has them. The error is a MistakeError.
func (p Posture) Model() (map[policy.Domain]policy.Posture, error) {
	known := []string{string(policy.PostureBlock), string(policy.PostureAudit), string(policy.PostureAllow)}
	out := map[policy.Domain]policy.Posture{}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		domain, found := domains()[name]
		if !found {
			return nil, mistake("posture", "%q is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(domains())), ", "))
		}
		if !slices.Contains(known, p[name]) {
			return nil, mistake("posture", "%s: %q is not one of %s", name, p[name], strings.Join(known, ", "))
		}
		out[domain] = policy.Posture(p[name])
	}
	return out, nil
}

// Select gives the workload of the reference model: the policies that select it, and its postures. Policies without a
// namespace belong to that of the workload, as with kubectl. Documents must be valid.
func Select(documents []document.Document, w Workload, postures map[policy.Domain]policy.Posture, root model.Resolver) model.Workload {
	namespace := w.Namespace
	if namespace == "" && !w.Host {
		namespace = defaultNamespace
	}
	var all []model.Document
	for i := range documents {
		if object := documents[i].Object; object != nil {
			all = append(all, model.Document{Object: object, Policy: Parse(object, namespace)})
		}
	}
	subject := model.Subject{
		Host: w.Host, Namespace: namespace, Container: w.Container, Labels: w.Labels, Annotations: w.Annotations,
		Every: w.Every,
	}
	selected := model.Select(all, subject, model.Settings{
		Postures: postures, SystemNamespaces: selector.SystemNamespaces(ownNamespace),
	})
	selected.Root = root
	return selected
}

// Parse reads the rules of a valid policy. One that should have a namespace and has none gets the given one.
func Parse(object runtime.Object, namespace string) policy.Policy {
	switch p := object.(type) {
	case *securityv1.KubeArmorPolicy:
		if p.Namespace == "" {
			p = p.DeepCopy()
			p.Namespace = namespace
		}
		return parse.KubeArmorPolicy(p)
	case *securityv1.KubeArmorClusterPolicy:
		return parse.ClusterPolicy(p)
	case *securityv1.KubeArmorHostPolicy:
		return parse.HostPolicy(p)
	default:
		panic(fmt.Sprintf("cases: %T is no policy", object))
	}
}

// Verdict as people and programs read it.
type Verdict struct {
	// Verdict is Allow, Audit or Block.
	Verdict string `json:"verdict"`
	// Policy that decided, by its name; DefaultPosture or UnresolvedPath where none did, or empty.
	Policy string `json:"policy"`
	// Rule is its place in the policy.
	Rule   string `json:"rule"`
	Reason string `json:"reason"`

	// Ref of the policy.
	Ref policy.Ref `json:"-"`
}

// Judge asks the reference model.
func Judge(w model.Workload, op model.Operation) Verdict {
	v := w.Judge(op)
	out := Verdict{Verdict: v.Action.String(), Policy: v.Policy, Rule: v.Rule, Reason: v.Reason, Ref: v.Ref}
	if v.Ref.Name != "" {
		out.Policy = v.Ref.Name
	}
	if len(w.Policies) == 0 {
		out.Reason = "no policy selects the workload"
	}
	return out
}
