// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/config"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// IndexPodNode is the cache's index of Pods by the node that they are bound to.
const IndexPodNode = "spec.nodeName"

// scope is everything that one run knows of one node. gather sets all but the last five.
type scope struct {
	name string
	now  time.Time
	// node is nil when it is gone.
	node *corev1.Node
	// settings of the fleet; zero when no KubeArmorConfig is in force.
	settings render.Settings
	// managed: Linux, admitted by the selectors, and a KubeArmorConfig is in force that is not being deleted.
	managed bool
	// before is the KubeArmorNode as it was read, nil when there is none.
	before *v1.KubeArmorNode
	// probe and agent are the Pods on the node, nil when there is none.
	probe, agent *corev1.Pod

	// kan is what the KubeArmorNode shall be; the phases change it.
	kan *v1.KubeArmorNode
	// released: the agent is off the kernel, or will never be; detach sets it.
	released bool
	// leftBehind is why the agent may not be off the kernel of a released node; detach sets it.
	leftBehind string
	// inputs hash of a probe of this node; detect sets it.
	inputs string
	// wake is when to look again at the latest, zero for never; see wakeIn.
	wake time.Duration
}

// wakeIn asks for another run after d, or earlier when another phase asked for that.
func (s *scope) wakeIn(d time.Duration) {
	d = max(d, time.Millisecond)
	if s.wake == 0 || d < s.wake {
		s.wake = d
	}
}

func (r *Reconciler) gather(ctx context.Context, name string) (*scope, error) {
	s := &scope{name: name, now: r.Now()}
	var err error
	if s.node, err = get(ctx, r.Client, client.ObjectKey{Name: name}, &corev1.Node{}); err != nil {
		return nil, err
	}
	if s.before, err = get(ctx, r.Client, client.ObjectKey{Name: name}, &v1.KubeArmorNode{}); err != nil {
		return nil, err
	}
	key := client.ObjectKey{Namespace: r.Defaults.Namespace, Name: render.ProbeName(name)}
	if s.probe, err = get(ctx, r.Client, key, &corev1.Pod{}); err != nil {
		return nil, err
	}
	if s.agent, err = r.agentOn(ctx, name); err != nil {
		return nil, err
	}
	inForce, err := config.FindInForce(ctx, r.Client)
	if err != nil {
		return nil, err
	}
	if inForce != nil {
		s.settings = render.SettingsOf(inForce.Spec, r.Defaults)
		s.managed = inForce.DeletionTimestamp == nil && s.node != nil && s.node.DeletionTimestamp == nil &&
			config.IsLinux(s.node) && s.settings.Admits(s.node.Labels)
	}
	s.kan = s.before.DeepCopy()
	if s.managed {
		if s.kan == nil {
			s.kan = &v1.KubeArmorNode{}
			s.kan.Name = name
		}
		own(s.kan, s.node)
	}
	return s, nil
}

// get is the object, or nil when there is none.
func get[T client.Object](ctx context.Context, r client.Reader, key client.ObjectKey, into T) (T, error) {
	var none T
	if err := r.Get(ctx, key, into); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return none, nil
		}
		return none, fmt.Errorf("get %T %s: %w", into, key, err)
	}
	return into, nil
}

// agentOn is the agent's Pod on a node: of several, one that is not on its way out.
func (r *Reconciler) agentOn(ctx context.Context, name string) (*corev1.Pod, error) {
	list := &corev1.PodList{}
	err := r.Client.List(ctx, list, client.InNamespace(r.Defaults.Namespace),
		client.MatchingLabels{v1.LabelApp: v1.AppAgent}, client.MatchingFields{IndexPodNode: name})
	if err != nil {
		return nil, fmt.Errorf("list agent Pods of node %s: %w", name, err)
	}
	var found *corev1.Pod
	for i := range list.Items {
		if p := &list.Items[i]; found == nil || found.DeletionTimestamp != nil {
			found = p
		}
	}
	return found, nil
}

// own also covers a node that was deleted and came back under its name: it has another UID.
func own(kan *v1.KubeArmorNode, node *corev1.Node) {
	metav1.SetMetaDataLabel(&kan.ObjectMeta, v1.LabelManagedBy, v1.ManagedBy)
	if kan.DeletionTimestamp == nil {
		controllerutil.AddFinalizer(kan, v1.FinalizerDetach)
	}
	kan.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
}
