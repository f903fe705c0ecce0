// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubearmor/kubearmor-operator/config"
)

// fieldManager owns what install applies.
const fieldManager = "karmor"

// install is `karmor install`.
type install struct {
	streams Streams
	cluster *clusterFlags
	images  map[string]string
	dryRun  bool
	wait    bool
	timeout time.Duration
}

func newInstall(streams Streams, cluster *clusterFlags) *cobra.Command {
	i := &install{streams: streams, cluster: cluster}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install KubeArmor's operator and start the fleet",
		Long: "install applies the manifests of this release (those of kubectl apply -k config/default), creates a KubeArmorConfig\n" +
			"where the cluster has none, and waits until it is Ready. Run again, it changes what is not as it should be: a\n" +
			"KubeArmorConfig that is there stays as it is, but for the images that --image names.\n\n" +
			"Exit codes: 0 KubeArmor is installed and Ready; 1 it is not, and one line says why; 2 wrong usage.",
		Example: "  karmor install\n" +
			"  karmor install --image operator=registry.example/fleet-operator:v1,agent=registry.example/fleet-agent:v1\n" +
			"  karmor install --dry-run > kubearmor.yaml",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := i.validate(); err != nil {
				return err
			}
			return i.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringToStringVar(&i.images, "image", nil, "images to run instead: operator=IMAGE,agent=IMAGE,relay=IMAGE")
	f.BoolVar(&i.dryRun, "dry-run", false, "print the objects as YAML and change nothing")
	f.BoolVar(&i.wait, "wait", true, "wait until the fleet is Ready")
	f.DurationVar(&i.timeout, "timeout", 10*time.Minute, "how long to wait")
	return cmd
}

func (i *install) validate() error {
	for name, image := range i.images {
		if _, known := imageFields()[name]; (name != "operator" && !known) || image == "" {
			return usagef("--image %s=%s is not one of operator=IMAGE, agent=IMAGE, relay=IMAGE", name, image)
		}
	}
	return nil
}

// imageFields of a KubeArmorConfig, by the part that they are of.
func imageFields() map[string]string {
	return map[string]string{"agent": "kubearmorImage", "relay": "kubearmorRelayImage"}
}

func (i *install) run(ctx context.Context) error {
	manifests, err := config.Default()
	if err != nil {
		return err
	}
	fleet, err := config.Sample()
	if err != nil {
		return err
	}
	if err := i.setImages(manifests, fleet); err != nil {
		return err
	}
	if i.dryRun {
		return printAll(i.streams.Out, append(manifests, fleet))
	}
	o, _, err := i.cluster.objects()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	in := &installer{objects: o, progress: newProgress(i.streams.Err)}
	if err := in.applyAll(ctx, manifests); err != nil {
		return err
	}
	if fleet, err = in.applyFleet(ctx, fleet); err != nil {
		return err
	}
	if !i.wait {
		return nil
	}
	if err := in.until(ctx, "the operator does not become available", in.operatorAvailable(manifests)); err != nil {
		return err
	}
	return in.until(ctx, "KubeArmor does not become Ready", in.fleetReady(fleet))
}

// setImages writes the images that were asked for into the operator's Deployment and the KubeArmorConfig.
func (i *install) setImages(manifests []unstructured.Unstructured, fleet unstructured.Unstructured) error {
	for part, field := range imageFields() {
		if image := i.images[part]; image != "" {
			if err := unstructured.SetNestedField(fleet.Object, image, "spec", field, "image"); err != nil {
				return fmt.Errorf("set the image of %s: %w", part, err)
			}
		}
	}
	image := i.images["operator"]
	if image == "" {
		return nil
	}
	for _, m := range manifests {
		if m.GetKind() != "Deployment" {
			continue
		}
		containers, _, err := unstructured.NestedSlice(m.Object, "spec", "template", "spec", "containers")
		if err != nil || len(containers) != 1 {
			return fmt.Errorf("set the operator's image: its Deployment has %d containers: %w", len(containers), err)
		}
		containers[0].(map[string]any)["image"] = image
		return unstructured.SetNestedSlice(m.Object, containers, "spec", "template", "spec", "containers")
	}
	return errors.New("set the operator's image: the manifests have no Deployment")
}

func printAll(w io.Writer, all []unstructured.Unstructured) error {
	for i, o := range all {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return fmt.Errorf("print %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		if i > 0 {
			text = slices.Concat([]byte("---\n"), text)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// applyAll applies in order, and waits for the kinds that it brings.
func (in *installer) applyAll(ctx context.Context, manifests []unstructured.Unstructured) error {
	for _, m := range manifests {
		if err := in.apply(ctx, m); err != nil {
			return err
		}
	}
	for _, m := range manifests {
		if m.GetKind() != "CustomResourceDefinition" {
			continue
		}
		if err := in.until(ctx, m.GetName()+" does not become a kind of the cluster", in.established(m)); err != nil {
			return err
		}
	}
	in.say("%d objects applied", len(manifests))
	return nil
}

func (in *installer) apply(ctx context.Context, o unstructured.Unstructured) error {
	_, err := in.of(o).Apply(ctx, o.GetName(), &o, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("apply %s %s: %w; install as an administrator of the cluster", o.GetKind(), o.GetName(), err)
	}
	if err != nil {
		return explainAway(fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err))
	}
	return nil
}

// applyFleet creates the KubeArmorConfig, or sets the images of the one that is there, and gives the one in force.
func (in *installer) applyFleet(ctx context.Context, fleet unstructured.Unstructured) (unstructured.Unstructured, error) {
	there, err := in.list(ctx, operatorKind("kubearmorconfigs"), "", metav1.ListOptions{})
	if err != nil {
		return fleet, explainAway(fmt.Errorf("list KubeArmorConfigs: %w", err))
	}
	if len(there) == 0 {
		in.say("KubeArmorConfig %s/%s created", fleet.GetNamespace(), fleet.GetName())
		return fleet, in.apply(ctx, fleet)
	}
	oldest := slices.MinFunc(there, func(a, b unstructured.Unstructured) int {
		first, second := a.GetCreationTimestamp(), b.GetCreationTimestamp()
		if !first.Equal(&second) {
			return first.Compare(second.Time)
		}
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	if oldest.GetDeletionTimestamp() != nil {
		return fleet, fmt.Errorf("the KubeArmorConfig %s/%s is being deleted; wait until it is gone: karmor uninstall", oldest.GetNamespace(), oldest.GetName())
	}
	in.say("KubeArmorConfig %s/%s is there and stays", oldest.GetNamespace(), oldest.GetName())
	images := unstructured.Unstructured{Object: map[string]any{}}
	images.SetGroupVersionKind(fleet.GroupVersionKind())
	images.SetNamespace(oldest.GetNamespace())
	images.SetName(oldest.GetName())
	set := false
	for _, field := range imageFields() {
		if image, found, _ := unstructured.NestedString(fleet.Object, "spec", field, "image"); found {
			set = true
			_ = unstructured.SetNestedField(images.Object, image, "spec", field, "image")
		}
	}
	if !set {
		return oldest, nil
	}
	return images, in.apply(ctx, images)
}
