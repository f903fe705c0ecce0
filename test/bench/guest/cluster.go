// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// cluster is as much of an API server as an agent needs: it lists and watches objects that never change, and takes the
// agent's status.
type cluster struct {
	objects map[string][]any
	address string

	once sync.Once
	// settled is closed when the agent reports that it is ready and that all policies are known.
	settled chan struct{}
}

const nodeName = "bench"

// startCluster serves n Pods and a policy of so many rules for each.
func startCluster(n, rulesEach int) (*cluster, error) {
	c := &cluster{settled: make(chan struct{}), objects: map[string][]any{
		"nodes":          {partial("Node", nodeName, nil)},
		"namespaces":     {partial("Namespace", "bench", nil)},
		"kubearmornodes": {kubeArmorNode()},
	}}
	for i := range n {
		name := nodeContainer(i)
		labels := map[string]string{"app": name, "pod-template-hash": fmt.Sprintf("%010d", i)}
		policy := policyOf(name, rulesEach)
		policy.TypeMeta = metav1.TypeMeta{Kind: "KubeArmorPolicy", APIVersion: securityv1.GroupVersion.String()}
		policy.UID, policy.ResourceVersion = types.UID("policy-"+name), "1"
		policy.Spec.Selector.MatchLabels = map[string]string{"app": name}
		c.objects["kubearmorpolicies"] = append(c.objects["kubearmorpolicies"], policy)
		c.objects["pods"] = append(c.objects["pods"], partial("Pod", name, labels))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c.address = "http://" + listener.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(c.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return c, nil
}

func nodeContainer(i int) string { return fmt.Sprintf("node-%d", i) }

func partial(kind, name string, labels map[string]string) *metav1.PartialObjectMetadata {
	p := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: metav1.SchemeGroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: "1", Labels: labels},
	}
	if kind == "Pod" {
		p.Namespace = "bench"
	}
	return p
}

func kubeArmorNode() *operatorv1.KubeArmorNode {
	return &operatorv1.KubeArmorNode{
		TypeMeta:   metav1.TypeMeta{Kind: "KubeArmorNode", APIVersion: operatorv1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, UID: nodeName, ResourceVersion: "1", Generation: 1},
	}
}

// serve answers lists, watches and patches of the status, by the last word of the path that names a resource.
func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	words := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPatch:
		c.patch(w, r)
	case r.Method != http.MethodGet:
		http.Error(w, "only reads", http.StatusMethodNotAllowed)
	case r.URL.Query().Get("watch") != "":
		c.watch(w, r, words[len(words)-1])
	default:
		c.list(w, words[len(words)-1])
	}
}

func (c *cluster) list(w http.ResponseWriter, resource string) {
	items := c.objects[resource]
	if items == nil {
		items = []any{}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": listKind(resource), "apiVersion": apiVersion(resource), "metadata": map[string]string{"resourceVersion": "1"}, "items": items,
	})
}

// partials are the resources of which the agent reads metadata only.
func partials() []string { return []string{"pods", "nodes", "namespaces"} }

func listKind(resource string) string {
	if slices.Contains(partials(), resource) {
		return "PartialObjectMetadataList"
	}
	return itemKind(resource) + "List"
}

func itemKind(resource string) string {
	kind, known := map[string]string{
		"configmaps": "ConfigMap", "kubearmornodes": "KubeArmorNode", "kubearmorpolicies": "KubeArmorPolicy",
		"kubearmorclusterpolicies": "KubeArmorClusterPolicy", "kubearmorhostpolicies": "KubeArmorHostPolicy",
	}[resource]
	if !known {
		return "PartialObjectMetadata"
	}
	return kind
}

func apiVersion(resource string) string {
	switch {
	case slices.Contains(partials(), resource):
		return metav1.SchemeGroupVersion.String()
	case resource == "configmaps":
		return "v1"
	case resource == "kubearmornodes":
		return operatorv1.GroupVersion.String()
	default:
		return securityv1.GroupVersion.String()
	}
}

// watch sends what a watcher that starts from nothing asks for, and then nothing more.
func (c *cluster) watch(w http.ResponseWriter, r *http.Request, resource string) {
	out := json.NewEncoder(w)
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		for _, o := range c.objects[resource] {
			_ = out.Encode(map[string]any{"type": "ADDED", "object": o})
		}
		_ = out.Encode(map[string]any{"type": "BOOKMARK", "object": map[string]any{
			"kind": itemKind(resource), "apiVersion": apiVersion(resource),
			"metadata": map[string]any{"resourceVersion": "1", "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"}},
		}})
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func (c *cluster) patch(w http.ResponseWriter, r *http.Request) {
	node := kubeArmorNode()
	if err := json.NewDecoder(r.Body).Decode(node); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ready := slices.ContainsFunc(node.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == operatorv1.NodeReady && c.Status == metav1.ConditionTrue
	})
	if ready && len(node.Status.Policies) == len(c.objects["kubearmorpolicies"]) {
		c.once.Do(func() { close(c.settled) })
	}
	_ = json.NewEncoder(w).Encode(node)
}
