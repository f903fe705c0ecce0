// SPDX-License-Identifier: Apache-2.0

package model

import (
	"slices"
	"strings"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Visibility are the words of what is logged of a subject without any policy: process, file, network, capabilities, dns
// and ima, sorted. The annotation kubearmor-visibility of the Pod or node counts, then that of the namespace, then the
// KubeArmorConfig's default; none means none of it, and unknown words are left out. It changes no verdict.
func Visibility(s Subject, standard string) []string {
	known := []string{"process", "file", "network", "capabilities", "dns", "ima"}
	for _, words := range []string{
		s.Annotations[operatorv1.AnnotationVisibility], s.NamespaceAnnotations[operatorv1.AnnotationVisibility], standard,
	} {
		if strings.TrimSpace(words) == "" {
			continue
		}
		var out []string
		for word := range strings.SplitSeq(words, ",") {
			word = strings.ToLower(strings.TrimSpace(word))
			if slices.Contains(known, word) {
				out = append(out, word)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return nil
}
