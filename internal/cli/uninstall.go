// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/config"
)

// uninstall is `karmor uninstall`.
type uninstall struct {
	streams  Streams
	cluster  *clusterFlags
	policies bool
	timeout  time.Duration
}

func newUninstall(streams Streams, cluster *clusterFlags) *cobra.Command {
	u := &uninstall{streams: streams, cluster: cluster}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take KubeArmor off the nodes and out of the cluster",
		Long: "uninstall deletes the KubeArmorConfig and waits until the operator has cleaned every node, then deletes the rest: the\n" +
			"operator, its roles, its namespace and our kinds. Policies stay, and their kinds with them, unless --delete-policies\n" +
			"says otherwise. Where nothing is installed, there is nothing to do.\n\n" +
			"Exit codes: 0 KubeArmor is gone; 1 something is left, and one line says what and why; 2 wrong usage.",
		Example: "  karmor uninstall\n  karmor uninstall --delete-policies --timeout 20m",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return u.run(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&u.policies, "delete-policies", false, "delete all KubeArmor policies of the cluster, too")
	cmd.Flags().DurationVar(&u.timeout, "timeout", 10*time.Minute, "how long to wait")
	return cmd
}

func (u *uninstall) run(ctx context.Context) error {
	manifests, err := config.Default()
	if err != nil {
		return err
	}
	o, _, err := u.cluster.objects()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, u.timeout)
	defer cancel()
	in := &installer{objects: o, progress: newProgress(u.streams.Err)}
	if err := in.removeFleet(ctx); err != nil {
		return err
	}
	kept, err := u.kept(ctx, in)
	if err != nil {
		return err
	}
	// In the reverse of the order in which they were applied.
	slices.Reverse(manifests)
	manifests = slices.DeleteFunc(manifests, func(m unstructured.Unstructured) bool { return kept && isPolicyKind(m) })
	if err := in.removeAll(ctx, manifests); err != nil {
		return err
	}
	in.say("KubeArmor is gone from the cluster")
	return nil
}

// removeFleet deletes the KubeArmorConfigs. Their finalizer holds them until the operator has cleaned every node.
func (in *installer) removeFleet(ctx context.Context) error {
	fleets, err := in.present(ctx, operatorKind("kubearmorconfigs"))
	if err != nil {
		return err
	}
	for _, f := range fleets {
		if err := in.remove(ctx, f); err != nil {
			return err
		}
	}
	for _, kind := range []string{"kubearmorconfigs", "kubearmornodes"} {
		if err := in.until(ctx, "the operator does not clean the nodes", in.noneOf(kind)); err != nil {
			return err
		}
	}
	return nil
}

func (in *installer) noneOf(kind string) look {
	return func(ctx context.Context) (bool, string, error) {
		left, err := in.present(ctx, operatorKind(kind))
		if err != nil {
			return false, "", err
		}
		if len(left) == 0 {
			return true, "no " + kind + " are left", nil
		}
		_, _, message := condition(left[0], "Ready")
		return false, fmt.Sprintf("%d %s are left%s", len(left), kind, message), nil
	}
}

// present are all objects of a kind; none where the cluster does not know the kind.
func (in *installer) present(ctx context.Context, kind schema.GroupVersionResource) ([]unstructured.Unstructured, error) {
	found, err := in.list(ctx, kind, "", metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, explainAway(fmt.Errorf("list %s: %w", kind.Resource, err))
	}
	return found, nil
}

// kept says whether there are policies that stay.
func (u *uninstall) kept(ctx context.Context, in *installer) (bool, error) {
	n := 0
	for _, kind := range []string{"kubearmorpolicies", "kubearmorclusterpolicies", "kubearmorhostpolicies"} {
		found, err := in.present(ctx, securityKind(kind))
		if err != nil {
			return false, err
		}
		n += len(found)
	}
	if n > 0 && !u.policies {
		in.say("%d policies stay, and their kinds with them; to delete them, too: karmor uninstall --delete-policies", n)
		return true, nil
	}
	return false, nil
}

func isPolicyKind(o unstructured.Unstructured) bool {
	return o.GetKind() == "CustomResourceDefinition" && strings.HasSuffix(o.GetName(), "."+securityv1.GroupVersion.Group)
}

func (in *installer) remove(ctx context.Context, o unstructured.Unstructured) error {
	background := metav1.DeletePropagationBackground
	err := in.of(o).Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return explainAway(fmt.Errorf("delete %s %s: %w", o.GetKind(), o.GetName(), err))
	}
	return nil
}

// removeAll deletes, and waits until each is gone.
func (in *installer) removeAll(ctx context.Context, all []unstructured.Unstructured) error {
	for _, o := range all {
		if err := in.remove(ctx, o); err != nil {
			return err
		}
	}
	for _, o := range all {
		name := o.GetKind() + " " + o.GetName()
		err := in.until(ctx, name+" does not go", func(ctx context.Context) (bool, string, error) {
			_, err := in.of(o).Get(ctx, o.GetName(), metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return true, "the rest is deleted", nil
			}
			return false, name + " is being deleted", err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
