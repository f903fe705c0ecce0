// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/redact"
)

// logLines are asked for at most; the newest bytes of them are kept.
const logLines = 20000

// mostLogs are read at once.
const mostLogs = 8

// index says what the archive holds and what it does not.
type index struct {
	Began    time.Time `json:"began"`
	Karmor   string    `json:"karmor"`
	Cluster  string    `json:"cluster"`
	LogBytes int64     `json:"logBytes"`
	// Objects that were written, by resource.
	Objects map[string]int `json:"objects"`
	Logs    int            `json:"logs"`
	// Removed counts values that looked like secrets.
	Removed int64     `json:"removed"`
	Files   int       `json:"files"`
	Missing []missing `json:"missing"`
}

// missing is what could not be fetched.
type missing struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// collector fetches and writes. Only the archive's own errors end it: what the cluster refuses goes into the index.
type collector struct {
	objects
	// pods gives logs; nil: no logs are wanted.
	pods     *rest.RESTClient
	redactor *redact.Redactor
	archive  *archive
	logBytes int64
	say      func(format string, args ...any)

	mu    sync.Mutex
	index index
}

// source is a kind that is collected.
type source struct {
	kind schema.GroupVersionResource
	// labels that an object must have.
	labels string
	// ours: only what belongs to the product.
	ours bool
	// trim takes out what is long and says nothing.
	trim func(map[string]any)
}

func group(name, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: name, Version: "v1", Resource: resource}
}

// sources are read in the whole cluster. The Pods and KubeArmorConfigs among them say in which namespaces the product is.
func sources() []source {
	const rbac, admission = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
	return []source{
		{kind: operatorKind("kubearmorconfigs")},
		{kind: operatorKind("kubearmornodes")},
		{kind: securityKind("kubearmorpolicies")},
		{kind: securityKind("kubearmorclusterpolicies")},
		{kind: securityKind("kubearmorhostpolicies")},
		{kind: coreKind("nodes"), trim: func(o map[string]any) { unstructured.RemoveNestedField(o, "status", "images") }},
		{kind: coreKind("pods"), labels: v1.LabelApp},
		{kind: group("apiextensions.k8s.io", "customresourcedefinitions"), ours: true, trim: trimDefinition},
		{kind: group(rbac, "clusterroles"), ours: true},
		{kind: group(rbac, "clusterrolebindings"), ours: true},
		{kind: group(admission, "validatingadmissionpolicies"), ours: true},
		{kind: group(admission, "validatingadmissionpolicybindings"), ours: true},
		{kind: group(admission, "mutatingwebhookconfigurations"), ours: true},
		{kind: group(admission, "validatingwebhookconfigurations"), ours: true},
	}
}

// namespaced are read in the product's namespaces alone.
func namespaced() []source {
	const rbac = "rbac.authorization.k8s.io"
	return []source{
		{kind: group("apps", "daemonsets"), ours: true},
		{kind: group("apps", "deployments"), ours: true},
		{kind: coreKind("services"), ours: true},
		{kind: coreKind("configmaps"), ours: true},
		{kind: coreKind("serviceaccounts"), ours: true},
		{kind: coreKind("resourcequotas"), ours: true},
		{kind: group(rbac, "roles"), ours: true},
		{kind: group(rbac, "rolebindings"), ours: true},
		{kind: coreKind("events")},
	}
}

// trimDefinition leaves a definition's names, versions and state: its schema is that of the release.
func trimDefinition(o map[string]any) {
	versions, _, _ := unstructured.NestedSlice(o, "spec", "versions")
	for _, v := range versions {
		if version, is := v.(map[string]any); is {
			delete(version, "schema")
		}
	}
	_ = unstructured.SetNestedSlice(o, versions, "spec", "versions")
}

func (c *collector) collect(ctx context.Context) error {
	c.index.Objects, c.index.Missing = map[string]int{}, []missing{}
	var pods []unstructured.Unstructured
	namespaces := []string{defaultNamespace}
	for _, s := range sources() {
		found, err := c.fetch(ctx, s, "")
		if err != nil {
			return err
		}
		switch s.kind.Resource {
		case "pods":
			pods = found
			fallthrough
		case "kubearmorconfigs":
			for _, o := range found {
				namespaces = append(namespaces, o.GetNamespace())
			}
		}
	}
	slices.Sort(namespaces)
	for _, namespace := range slices.Compact(namespaces) {
		for _, s := range namespaced() {
			if _, err := c.fetch(ctx, s, namespace); err != nil {
				return err
			}
		}
	}
	if err := c.eventsElsewhere(ctx, namespaces); err != nil {
		return err
	}
	if err := c.logs(ctx, pods); err != nil {
		return err
	}
	slices.SortFunc(c.index.Missing, func(a, b missing) int { return cmp.Compare(a.What, b.What) })
	c.index.Removed, c.index.Files = c.redactor.Count(), c.archive.files()+1
	text, err := json.MarshalIndent(c.index, "", "  ")
	if err != nil {
		return err
	}
	return c.archive.add("index.json", append(text, '\n'))
}

// lacks notes what could not be fetched.
func (c *collector) lacks(what string, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index.Missing = append(c.index.Missing, missing{what, why.Error()})
}

// fetch writes all objects of a kind that belong to us; namespace empty: of the whole cluster.
func (c *collector) fetch(ctx context.Context, s source, namespace string) ([]unstructured.Unstructured, error) {
	what := path.Join(s.kind.Resource, namespace)
	found, err := c.list(ctx, s.kind, namespace, metav1.ListOptions{LabelSelector: s.labels})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		c.lacks(what, err)
		c.say("%s: %v", what, err)
		return nil, nil
	}
	if s.ours {
		found = slices.DeleteFunc(found, func(o unstructured.Unstructured) bool { return !isOurs(o) })
	}
	for _, o := range found {
		if s.trim != nil {
			s.trim(o.Object)
		}
		if err := c.object(s.kind.Resource, o); err != nil {
			return nil, err
		}
	}
	c.say("%s: %d", what, len(found))
	return found, nil
}

// isOurs tells our objects by their labels, and those that have none by their name.
func isOurs(o unstructured.Unstructured) bool {
	labels := o.GetLabels()
	_, labelled := labels[v1.LabelApp]
	return labelled || labels[v1.LabelManagedBy] == v1.ManagedBy || strings.HasPrefix(o.GetName(), "kubearmor") ||
		strings.HasSuffix(o.GetName(), "."+v1.GroupVersion.Group) || strings.HasSuffix(o.GetName(), "."+securityv1.GroupVersion.Group)
}

func (c *collector) object(resource string, o unstructured.Unstructured) error {
	c.redactor.Object(o.Object)
	text, err := yaml.Marshal(o.Object)
	if err != nil {
		return fmt.Errorf("%s %s: %w", resource, o.GetName(), err)
	}
	c.index.Objects[resource]++
	return c.archive.add(path.Join("objects", resource, o.GetNamespace(), o.GetName()+".yaml"), text)
}

// eventsElsewhere are those about our kinds in other namespaces than ours: of cluster-wide objects, and of policies.
func (c *collector) eventsElsewhere(ctx context.Context, ours []string) error {
	n := 0
	for _, kind := range []string{"KubeArmorConfig", "KubeArmorNode", "KubeArmorPolicy", "KubeArmorClusterPolicy", "KubeArmorHostPolicy"} {
		found, err := c.list(ctx, coreKind("events"), "", metav1.ListOptions{FieldSelector: "involvedObject.kind=" + kind})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.lacks("events of "+kind, err)
			continue
		}
		for _, o := range found {
			if slices.Contains(ours, o.GetNamespace()) {
				continue
			}
			n++
			if err := c.object("events", o); err != nil {
				return err
			}
		}
	}
	c.say("events elsewhere: %d", n)
	return nil
}

// logs of every container of these Pods, and of its run before.
func (c *collector) logs(ctx context.Context, pods []unstructured.Unstructured) error {
	if c.pods == nil {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mostLogs)
	for _, o := range pods {
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &pod); err != nil {
			c.lacks("logs of Pod "+o.GetNamespace()+"/"+o.GetName(), err)
			continue
		}
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			group.Go(func() error { return c.log(ctx, pod, status.Name, false) })
			if status.RestartCount > 0 {
				group.Go(func() error { return c.log(ctx, pod, status.Name, true) })
			}
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.say("logs: %d", c.index.Logs)
	return nil
}

// log writes the newest bytes of one log.
func (c *collector) log(ctx context.Context, pod corev1.Pod, container string, previous bool) error {
	name := container + ".log"
	if previous {
		name = container + ".previous.log"
	}
	stream, err := c.pods.Get().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("log").
		Param("container", container).Param("tailLines", strconv.Itoa(logLines)).Param("previous", strconv.FormatBool(previous)).Stream(ctx)
	var text []byte
	if err == nil {
		text, err = newest(stream, c.logBytes)
		_ = stream.Close()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.lacks(path.Join("logs", pod.Namespace, pod.Name, name), err)
		return nil
	}
	c.mu.Lock()
	c.index.Logs++
	c.mu.Unlock()
	return c.archive.add(path.Join("logs", pod.Namespace, pod.Name, name), []byte(c.redactor.Text(string(text))))
}

// newest keeps the last bytes of a stream, from the beginning of a line.
func newest(from io.Reader, most int64) ([]byte, error) {
	var kept []byte
	cut := false
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		kept = append(kept, chunk[:n]...)
		if over := int64(len(kept)) - most; over > 0 {
			kept, cut = kept[over:], true
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if _, whole, found := bytes.Cut(kept, []byte("\n")); cut && found {
		kept = whole
	}
	return kept, nil
}
