// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Labels that the kubelet gives every container and sandbox (k8s.io/kubelet/pkg/types).
const (
	labelPodName       = "io.kubernetes.pod.name"
	labelPodNamespace  = "io.kubernetes.pod.namespace"
	labelPodUID        = "io.kubernetes.pod.uid"
	labelContainerName = "io.kubernetes.container.name"
)

// callTimeout bounds one call of the runtime. It answers in milliseconds; on an emulated machine that is busy with its
// start, ten thousand of them.
const callTimeout = 30 * time.Second

// CRI is the container runtime behind its CRI socket.
type CRI struct {
	conn   *grpc.ClientConn
	client cri.RuntimeServiceClient
}

// DialCRI prepares calls of the runtime at socket, a path as this process sees it. The runtime need not be up yet.
func DialCRI(socket string) (*CRI, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		return nil, fmt.Errorf("dial runtime %s: %w", socket, err)
	}
	return &CRI{conn: conn, client: cri.NewRuntimeServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *CRI) Close() error { return c.conn.Close() }

// List gives the containers that run or are about to, of every kind (init, ephemeral, ordinary), without their cgroups.
// Pods' sandboxes are none: they run nothing of the user's.
func (c *CRI) List(ctx context.Context) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.client.ListContainers(ctx, &cri.ListContainersRequest{})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var found []Container
	for _, item := range answer.Containers {
		if container, live := fromCRI(item); live {
			found = append(found, container)
		}
	}
	return found, nil
}

func fromCRI(item *cri.Container) (Container, bool) {
	running := item.State == cri.ContainerState_CONTAINER_RUNNING
	if !running && item.State != cri.ContainerState_CONTAINER_CREATED {
		return Container{}, false
	}
	c := Container{
		ID: item.Id, Sandbox: item.PodSandboxId, Name: item.Labels[labelContainerName], Running: running,
		Image: item.GetImage().GetUserSpecifiedImage(),
		Pod: PodRef{
			Namespace: item.Labels[labelPodNamespace], Name: item.Labels[labelPodName], UID: item.Labels[labelPodUID],
		},
	}
	return c, c.Pod.Name != "" && c.Name != ""
}

// Details asks for what a list does not tell: where the container's OCI spec puts its cgroup, and the image by the name
// that it was pulled by.
func (c *CRI) Details(ctx context.Context, id string) (Details, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.client.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: id, Verbose: true})
	if err != nil {
		return Details{}, fmt.Errorf("status of container %s: %w", id, err)
	}
	place, err := parseInfo(answer.Info["info"])
	return Details{CgroupsPath: place, Image: answer.GetStatus().GetImage().GetImage()}, err
}

// parseInfo reads what containerd and CRI-O both put into a verbose status.
func parseInfo(info string) (string, error) {
	var parsed struct {
		RuntimeSpec struct {
			Linux struct {
				CgroupsPath string `json:"cgroupsPath"`
			} `json:"linux"`
		} `json:"runtimeSpec"`
	}
	if err := json.Unmarshal([]byte(info), &parsed); err != nil {
		return "", fmt.Errorf("read the runtime's verbose status: %w", err)
	}
	return parsed.RuntimeSpec.Linux.CgroupsPath, nil
}

// Sandbox gives the labels and annotations that a Pod had when its sandbox was made.
func (c *CRI) Sandbox(ctx context.Context, id string) (labels, annotations map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.client.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id})
	if err != nil {
		return nil, nil, fmt.Errorf("status of sandbox %s: %w", id, err)
	}
	return answer.GetStatus().GetLabels(), answer.GetStatus().GetAnnotations(), nil
}
