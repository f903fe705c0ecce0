// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

const security = "/apis/security.kubearmor.com/v1/"

func TestTheClusterListsItsObjects(t *testing.T) {
	c := newTestCluster(t)
	for path, want := range map[string]string{
		"/api/v1/pods":                        "PartialObjectMetadataList meta.k8s.io/v1 3",
		security + "kubearmorpolicies":        "KubeArmorPolicyList security.kubearmor.com/v1 3",
		security + "kubearmorclusterpolicies": "KubeArmorClusterPolicyList security.kubearmor.com/v1 0",
	} {
		var list struct {
			Kind, APIVersion string
			Items            []any
		}
		answer(t, http.MethodGet, c.address+path, "", func(d *json.Decoder) error { return d.Decode(&list) })
		if diff := cmp.Diff(want, fmt.Sprintf("%s %s %d", list.Kind, list.APIVersion, len(list.Items))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestAWatchFromNothingBeginsWithAllObjects(t *testing.T) {
	c := newTestCluster(t)
	var got []string
	answer(t, http.MethodGet, c.address+"/api/v1/pods?watch=true&sendInitialEvents=true", "", func(d *json.Decoder) error {
		for range 4 {
			var event struct{ Type string }
			if err := d.Decode(&event); err != nil {
				return err
			}
			got = append(got, event.Type)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"ADDED", "ADDED", "ADDED", "BOOKMARK"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheClusterSettlesWithAReadyAgentThatKnowsAllPolicies(t *testing.T) {
	c := newTestCluster(t)
	tests := []struct {
		ready    string
		policies int
		want     bool
	}{
		{"False", 3, false},
		{"True", 2, false},
		{"True", 3, true},
	}
	for _, test := range tests {
		policies := strings.TrimSuffix(strings.Repeat(`{"kind":"KubeArmorPolicy"},`, test.policies), ",")
		body := fmt.Sprintf(`{"status":{"conditions":[{"type":%q,"status":%q}],"policies":[%s]}}`, operatorv1.NodeReady, test.ready, policies)
		answer(t, http.MethodPatch, c.address+"/apis/operator.kubearmor.com/v1/kubearmornodes/bench/status", body,
			func(d *json.Decoder) error { return d.Decode(&struct{}{}) })
		settled := false
		select {
		case <-c.settled:
			settled = true
		default:
		}
		if settled != test.want {
			t.Errorf("ready %s, %d policies: settled %v", test.ready, test.policies, settled)
		}
	}
}

func newTestCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := startCluster(3, 10)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(t *testing.T, method, url, body string, read func(*json.Decoder) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := read(json.NewDecoder(response.Body)); err != nil {
		t.Errorf("%s %s: %v", method, url, err)
	}
}
