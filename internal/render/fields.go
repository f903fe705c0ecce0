// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// effectiveFields of KubeArmorConfig.spec in this version, by JSON path: everything else that is set is accepted and named
// in the condition FieldsIgnored. A field joins this table with the change that makes it work.
func effectiveFields() []string {
	return []string{
		"defaultFilePosture",
		"defaultNetworkPosture",
		"defaultCapabilitiesPosture",
		"hostDefaultFilePosture",
		"hostDefaultNetworkPosture",
		"hostDefaultCapabilitiesPosture",
		"alertThrottling",
		"maxAlertPerSec",
		"throttleSec",
		"globalImagePullSecrets",
		"globalTolerations",
		"globalNodeSelector",
		"globalEnv",
		"kubearmorRelayImage.image",
		"kubearmorRelayImage.imagePullPolicy",
		"kubearmorRelayImage.imagePullSecrets",
		"kubearmorRelayImage.env",
		"kubearmorRelayImage.nodeSelector",
		"kubearmorRelayImage.tolerations",
		"tls.enable",
		"tls.extraDnsNames",
		"tls.extraIpAddresses",
		"kubearmorImage.image",
		"kubearmorImage.imagePullPolicy",
		"kubearmorImage.imagePullSecrets",
		"kubearmorImage.env",
		"kubearmorImage.nodeSelector",
		"kubearmorImage.tolerations",
	}
}

// IgnoredFields names, sorted, the fields of the spec that are set and have no effect.
func IgnoredFields(spec v1.KubeArmorConfigSpec) ([]string, error) {
	set, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		return nil, fmt.Errorf("read the fields of the spec: %w", err)
	}
	var ignored []string
	for field, value := range set {
		ignored = append(ignored, without(field, value, effectiveFields())...)
	}
	slices.Sort(ignored)
	return ignored, nil
}

// without goes below a field only where a part of it is effective.
func without(path string, value any, effective []string) []string {
	if slices.Contains(effective, path) {
		return nil
	}
	children, isObject := value.(map[string]any)
	isPart := func(e string) bool { return strings.HasPrefix(e, path+".") }
	if !isObject || !slices.ContainsFunc(effective, isPart) {
		return []string{path}
	}
	var ignored []string
	for child, v := range children {
		ignored = append(ignored, without(path+"."+child, v, effective)...)
	}
	return ignored
}
