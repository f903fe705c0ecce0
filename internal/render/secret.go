// SPDX-License-Identifier: Apache-2.0

package render

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// certsPath is where agents and relay find their certificates.
const certsPath = "/etc/kubearmor/tls"

// CertificateSecret holds certificates under one of SecretNames. The operator knows these by name alone: it may not list the
// Secrets of its namespace.
func CertificateSecret(namespace, name string, data map[string][]byte) *corev1.Secret {
	kind := corev1.SecretTypeTLS
	if name == v1.SecretAuthority {
		kind = corev1.SecretTypeOpaque
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: ownedLabels(nil)},
		Type:       kind,
		Data:       data,
	}
}

// Secrets are all that the operator may own in a namespace, without their data.
func Secrets(namespace string) []Object {
	var out []Object
	for _, name := range []string{v1.SecretAgent, v1.SecretAuthority, v1.SecretClient, v1.SecretRelay} {
		out = append(out, CertificateSecret(namespace, name, nil))
	}
	return out
}

// certsVolume of a Secret. Whoever needs it to start waits for it; an agent protects its node without one.
func certsVolume(secret string, optional bool, mode int32) corev1.Volume {
	return corev1.Volume{Name: "certs", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		SecretName: secret, Optional: ptr.To(optional), DefaultMode: ptr.To(mode),
	}}}
}

func certsMount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: "certs", MountPath: certsPath, ReadOnly: true}
}
