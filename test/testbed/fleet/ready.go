// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// readyLimit bounds the wait for nodes: about 40 s each when two cores emulate three machines.
const readyLimit = 8 * time.Minute

// Client of the fleet's administrator.
func (f *Fleet) Client() (*kubernetes.Clientset, error) {
	config, err := f.Cluster.RESTConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// waitReady returns when every node is Ready, and says who is missing when one is not in time.
func (f *Fleet) waitReady(ctx context.Context) error {
	client, err := f.Client()
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	missing := f.names()
	return f.log.Step("nodes Ready", func() error {
		for {
			if nodes, err := client.CoreV1().Nodes().List(limit, metav1.ListOptions{}); err == nil {
				missing = f.strike(missing, nodes.Items)
			}
			if len(missing) == 0 {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for nodes: %w", ctx.Err())
			case <-limit.Done():
				return fmt.Errorf("not Ready within %s: %s", readyLimit, strings.Join(missing, ", "))
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
}

// strike takes Ready nodes off the list.
func (f *Fleet) strike(missing []string, nodes []corev1.Node) []string {
	for i := range nodes {
		if at := slices.Index(missing, nodes[i].Name); at >= 0 && isReady(&nodes[i]) {
			f.log.Printf("node %s: Ready (%s, %s)", nodes[i].Name, nodes[i].Status.NodeInfo.KernelVersion, nodes[i].Status.NodeInfo.ContainerRuntimeVersion)
			missing = slices.Delete(missing, at, at+1)
		}
	}
	return missing
}

func isReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func (f *Fleet) names() []string {
	var out []string
	for _, n := range f.Nodes {
		out = append(out, n.Name)
	}
	return out
}
