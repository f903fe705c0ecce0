// SPDX-License-Identifier: Apache-2.0

// Package render turns settings and pools into the objects that the operator owns. The same input gives the same bytes.
package render

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Object is what the API server holds.
type Object = interface {
	metav1.Object
	runtime.Object
}

// Defaults are what the operator knows by itself.
type Defaults struct {
	// Namespace of the operator and of everything namespaced that it owns.
	Namespace string
	// Image of the agent, and RelayImage of the relay, where the KubeArmorConfig names none.
	Image, RelayImage string
}

// Settings are the fleet's: what a KubeArmorConfig and the operator's defaults come to.
type Settings struct {
	Namespace    string
	Image        string
	PullPolicy   corev1.PullPolicy
	PullSecrets  []corev1.LocalObjectReference
	Env          []corev1.EnvVar
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	// Data of the ConfigMap that agents read live.
	Data map[string]string
	// Relay of the fleet.
	Relay Relay
}

// SettingsOf merges: the component's own field wins over the global one, and the KubeArmorConfig over the defaults.
func SettingsOf(spec v1.KubeArmorConfigSpec, d Defaults) Settings {
	c := spec.KubeArmorImage
	s := Settings{
		Namespace:    d.Namespace,
		Image:        d.Image,
		PullPolicy:   c.ImagePullPolicy,
		PullSecrets:  secrets(spec.GlobalImagePullSecrets, c.ImagePullSecrets),
		Env:          environment(spec.GlobalEnv, c.Env),
		NodeSelector: map[string]string{},
		Tolerations:  tolerations(spec.GlobalTolerations, c.Tolerations),
		Data:         configData(spec),
		Relay:        relayOf(spec, d),
	}
	if c.Image != "" {
		s.Image = c.Image
	}
	maps.Copy(s.NodeSelector, spec.GlobalNodeSelector)
	maps.Copy(s.NodeSelector, c.NodeSelector)
	return s
}

// Admits says whether a node with these labels is managed.
func (s Settings) Admits(nodeLabels map[string]string) bool {
	return labels.SelectorFromSet(s.NodeSelector).Matches(labels.Set(nodeLabels))
}

// tolerations start with the one that tolerates everything: a node that repels its agent is a node that nobody protects.
// The others are kept beside it, since a user who set them expects to find them.
func tolerations(lists ...[]corev1.Toleration) []corev1.Toleration {
	out := []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	for _, list := range lists {
		for _, t := range list {
			if !slices.ContainsFunc(out, func(have corev1.Toleration) bool { return have.MatchToleration(&t) }) {
				out = append(out, t)
			}
		}
	}
	return out
}

func secrets(lists ...[]corev1.LocalObjectReference) []corev1.LocalObjectReference {
	var out []corev1.LocalObjectReference
	for _, list := range lists {
		for _, s := range list {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// environment keeps the order of first mention and the value of the last one: the API server refuses doubles in an applied list.
func environment(lists ...[]corev1.EnvVar) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, list := range lists {
		for _, e := range list {
			at := slices.IndexFunc(out, func(have corev1.EnvVar) bool { return have.Name == e.Name })
			if at < 0 {
				out = append(out, e)
			} else {
				out[at] = e
			}
		}
	}
	return out
}

// configData spells every setting out, with its default, so that the ConfigMap shows what is in force.
func configData(spec v1.KubeArmorConfigSpec) map[string]string {
	return map[string]string{
		"defaultFilePosture":             posture(spec.DefaultFilePosture),
		"defaultCapabilitiesPosture":     posture(spec.DefaultCapabilitiesPosture),
		"defaultNetworkPosture":          posture(spec.DefaultNetworkPosture),
		"hostDefaultFilePosture":         posture(spec.HostDefaultFilePosture),
		"hostDefaultCapabilitiesPosture": posture(spec.HostDefaultCapabilitiesPosture),
		"hostDefaultNetworkPosture":      posture(spec.HostDefaultNetworkPosture),
		"visibility":                     spec.DefaultVisibility,
		"enableStdOutLogs":               strconv.FormatBool(spec.EnableStdOutLogs),
		"enableStdOutAlerts":             strconv.FormatBool(spec.EnableStdOutAlerts),
		"enableStdOutMsgs":               strconv.FormatBool(spec.EnableStdOutMsgs),
		"alertThrottling":                strconv.FormatBool(spec.AlertThrottling),
		"maxAlertPerSec":                 number(spec.MaxAlertPerSec, 10),
		"throttleSec":                    number(spec.ThrottleSec, 30),
		"dropResourceFromProcessLogs":    strconv.FormatBool(spec.DropResourceFromProcessLogs),
		"matchArgs":                      strconv.FormatBool(spec.MatchArgs),
	}
}

func posture(p v1.Posture) string {
	if p == "" {
		p = v1.PostureAudit
	}
	return string(p)
}

func number(n, fallback int32) string {
	if n == 0 {
		n = fallback
	}
	return strconv.Itoa(int(n))
}
