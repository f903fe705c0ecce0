// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// lookEvery so often at what is waited for.
const lookEvery = 500 * time.Millisecond

// installer changes a cluster and tells how far it is.
type installer struct {
	objects
	*progress
}

// progress tells each state once.
type progress struct {
	to   io.Writer
	last string
}

func newProgress(to io.Writer) *progress { return &progress{to: to} }

func (p *progress) say(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != p.last {
		p.last = text
		_, _ = fmt.Fprintln(p.to, "karmor: "+text)
	}
}

// of is where objects of this one's kind are. The API server's own plural of our kinds is the guessed one.
func (o objects) of(object unstructured.Unstructured) dynamic.ResourceInterface {
	kind, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	return o.Resource(kind).Namespace(object.GetNamespace())
}

// look says whether it is so, and how it is.
type look func(context.Context) (done bool, how string, err error)

// until looks until it is so. What the cluster refuses ends it; what is only broken for a moment does not.
func (in *installer) until(ctx context.Context, not string, look look) error {
	how := "nothing was seen yet"
	for {
		done, now, err := look(ctx)
		switch {
		case done:
			in.say("%s", now)
			return nil
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
			return fmt.Errorf("%s: %w; run it as an administrator of the cluster", not, err)
		case err != nil && ctx.Err() == nil:
			how = err.Error()
		case err == nil:
			how = now
			in.say("%s", now)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%s in time: %s; wait longer with --timeout, or see: karmor probe, karmor sysdump", not, how)
			}
			return fmt.Errorf("%s: interrupted: %s", not, how)
		case <-time.After(lookEvery):
		}
	}
}

// established looks whether objects of a new kind can be read: a little after its condition says so.
func (in *installer) established(definition unstructured.Unstructured) look {
	return func(ctx context.Context) (bool, string, error) {
		group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
		plural, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "plural")
		kind := schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}
		if _, err := in.Resource(kind).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return false, "", err
		}
		return true, "the cluster knows our kinds", nil
	}
}

func (in *installer) operatorAvailable(manifests []unstructured.Unstructured) look {
	return func(ctx context.Context) (bool, string, error) {
		for _, m := range manifests {
			if m.GetKind() != "Deployment" {
				continue
			}
			o, err := in.of(m).Get(ctx, m.GetName(), metav1.GetOptions{})
			if err != nil {
				return false, "", err
			}
			number := func(fields ...string) int64 {
				n, _, _ := unstructured.NestedInt64(o.Object, fields...)
				return n
			}
			wanted, updated, available := number("spec", "replicas"), number("status", "updatedReplicas"), number("status", "availableReplicas")
			current := number("status", "observedGeneration") >= o.GetGeneration()
			if current && updated >= wanted && available >= wanted && number("status", "replicas") == updated {
				return true, "the operator is available", nil
			}
			return false, fmt.Sprintf("the operator: %d of %d Pods available", available, wanted), nil
		}
		return false, "", errors.New("the manifests have no Deployment")
	}
}

// fleetReady looks at the KubeArmorConfig's condition Ready, of the spec that is there now.
func (in *installer) fleetReady(fleet unstructured.Unstructured) look {
	return func(ctx context.Context) (bool, string, error) {
		o, err := in.of(fleet).Get(ctx, fleet.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, "", err
		}
		generation, status, message := condition(*o, v1.ConfigReady)
		if generation < o.GetGeneration() {
			return false, "the operator has not looked at the KubeArmorConfig yet", nil
		}
		if status == "True" {
			_, enforcing, why := condition(*o, v1.ConfigEnforcing)
			if enforcing == "True" {
				return true, "KubeArmor is Ready and enforces on every node", nil
			}
			return true, "KubeArmor is Ready, and does not enforce everywhere" + why + "; see: karmor probe", nil
		}
		return false, "not Ready yet" + message, nil
	}
}

// condition of an object: the generation that it is of, its status, and ": reason: message" where it has one.
func condition(o unstructured.Unstructured, kind string) (generation int64, status, message string) {
	all, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range all {
		c, is := c.(map[string]any)
		if !is || c["type"] != kind {
			continue
		}
		generation, _, _ = unstructured.NestedInt64(c, "observedGeneration")
		status, _, _ = unstructured.NestedString(c, "status")
		if status != "True" {
			message = fmt.Sprintf(": %v: %v", c["reason"], c["message"])
		}
		return generation, status, message
	}
	return 0, "", ""
}
