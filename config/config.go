// SPDX-License-Identifier: Apache-2.0

// Package config carries the manifests that `kubectl apply -k config/default` installs, so that karmor installs the same.
package config

import (
	"embed"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

//go:embed default namespace crd rbac manager samples/operator_v1_kubearmorconfig.yaml
var files embed.FS

// Default gives the objects of config/default, in the order in which they can be applied.
func Default() ([]unstructured.Unstructured, error) {
	memory := filesys.MakeFsInMemory()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		return memory.WriteFile(path, text)
	})
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	rendered, err := krusty.MakeKustomizer(options).Run(memory, "default")
	if err != nil {
		return nil, fmt.Errorf("render the manifests: %w", err)
	}
	var all []unstructured.Unstructured
	for _, r := range rendered.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("render the manifests: %w", err)
		}
		var o unstructured.Unstructured
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("render the manifests: %w", err)
		}
		all = append(all, o)
	}
	return all, nil
}

// Sample gives the KubeArmorConfig that the samples begin with: the whole fleet.
func Sample() (unstructured.Unstructured, error) {
	var o unstructured.Unstructured
	text, err := files.ReadFile("samples/operator_v1_kubearmorconfig.yaml")
	if err == nil {
		text, err = yaml.YAMLToJSON(text)
	}
	if err == nil {
		err = o.UnmarshalJSON(text)
	}
	if err != nil {
		return o, fmt.Errorf("read the sample: %w", err)
	}
	return o, nil
}
