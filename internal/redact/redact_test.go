// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/redact"
)

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"

func TestSecretsAreTakenOutOfTexts(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a JSON web token":                 {"got " + jwt + " from it", "got <removed> from it"},
		"a bearer token":                   {"Authorization: Bearer abcdef0123456789", "Authorization: Bearer <removed>"},
		"a bearer token after its name":    {"token: Bearer abcdef0123456789", "token: <removed> <removed>"},
		"a private key":                    {"a\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\nb", "a\n<removed>\nb"},
		"a private key that is cut":        {"-----BEGIN PRIVATE KEY-----\nMHcCAQ", "<removed>"},
		"a URL with a password":            {"https://elastic:changeme@es.example:9200/x", "https://<removed>es.example:9200/x"},
		"an assignment":                    {"mysql --password=hunter2 -u root", "mysql --password=<removed> -u root"},
		"an argument that follows":         {"mysql --password hunter2 -u root", "mysql --password <removed> -u root"},
		"JSON":                             {`{"token":"abc","x":1}`, `{"token":"<removed>","x":1}`},
		"JSON in JSON":                     {`{"args":"{\"api_key\":\"abc\"}"}`, `{"args":"{\"api_key\":\"<removed>\"}"}`},
		"an access key":                    {"AKIAIOSFODNN7EXAMPLE", "<removed>"},
		"words that only speak of secrets": {"secret kubearmor-tls not found; renew the token", "secret kubearmor-tls not found; renew the token"},
		"an image by digest":               {"docker.io/kubearmor/x@sha256:0123456789abcdef0123456789abcdef", "docker.io/kubearmor/x@sha256:0123456789abcdef0123456789abcdef"},
		"a certificate, which is public":   {"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, redact.New().Text(tt.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsAreTakenOutOfObjects(t *testing.T) {
	env := func(name, value string) any { return map[string]any{"name": name, "value": value} }
	o := map[string]any{
		"metadata": map[string]any{
			"name": "x", "managedFields": []any{map[string]any{"manager": "kubectl"}},
			"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": `{"value":"hunter2"}`, "kept": "yes"},
		},
		"spec": map[string]any{
			"secretName": "kubearmor-tls",
			"env": []any{
				env("ELASTIC_PASSWORD", "hunter2"), env("SIGNING_KEY", "k"), env("PLAIN", "dGhpc2lzYXRva2VuMTIzNDU2Nzg5MA"),
				env("LOG_LEVEL", "debug"), env("RELATED_IMAGE_KUBEARMOR", "docker.io/kubearmor/fleet-agent:v0.1.0"),
			},
			"args": []any{"--token", "hunter2", "--verbose", "--auth-token=hunter2", "--tls-dir", "/etc/tls"},
		},
	}
	r := redact.New()
	r.Object(o)
	want := map[string]any{
		"metadata": map[string]any{"name": "x", "annotations": map[string]any{"kept": "yes"}},
		"spec": map[string]any{
			"secretName": "kubearmor-tls",
			"env": []any{
				env("ELASTIC_PASSWORD", "<removed>"), env("SIGNING_KEY", "<removed>"), env("PLAIN", "<removed>"),
				env("LOG_LEVEL", "debug"), env("RELATED_IMAGE_KUBEARMOR", "docker.io/kubearmor/fleet-agent:v0.1.0"),
			},
			"args": []any{"--token", "<removed>", "--verbose", "--auth-token=<removed>", "--tls-dir", "/etc/tls"},
		},
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.Count() != 5 {
		t.Errorf("%d counted", r.Count())
	}
	if got := r.Text(strings.Repeat("password=x ", 2)); got != "password=<removed> password=<removed> " || r.Count() != 7 {
		t.Errorf("%q, %d counted", got, r.Count())
	}
}
