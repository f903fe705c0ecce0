// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// labelPodUID is the label that the kubelet gives every sandbox (k8s.io/kubelet/pkg/types).
const labelPodUID = "io.kubernetes.pod.uid"

// nriSocket is NRI's default (containerd and CRI-O alike).
const nriSocket = "nri/nri.sock"

// candidate is a place below /run where a runtime serves CRI.
type candidate struct{ socket, source string }

func candidates() []candidate {
	return []candidate{
		{"containerd/containerd.sock", "containerd's default; Bottlerocket, Talos, Container-Optimized OS, EKS, GKE, AKS"},
		{"crio/crio.sock", "CRI-O's default; OpenShift, Oracle Cloud Native Environment"},
		{"k3s/containerd/containerd.sock", "k3s and RKE2"},
		{"k0s/containerd.sock", "k0s"},
		{"cri-dockerd.sock", "cri-dockerd's default, for Docker Engine"},
		{"dockershim.sock", "Bottlerocket's compatible name"},
	}
}

// FindRuntime is the runtime's part of Probe alone.
func FindRuntime(ctx context.Context, o Options) v1.RuntimeFact { return probeRuntime(ctx, o) }

// probeRuntime finds the runtime that really runs this Pod: several may listen on one node.
func probeRuntime(ctx context.Context, o Options) v1.RuntimeFact {
	var refusals []string
	for _, c := range candidates() {
		found, err := askRuntime(ctx, filepath.Join(o.Roots.Run, c.socket), o.PodUID)
		if err == nil {
			found.Socket = path.Join("/run", c.socket)
			found.NRISocket = findNRI(o.Roots.Run)
			return found
		}
		if !errors.Is(err, fs.ErrNotExist) {
			refusals = append(refusals, fmt.Sprintf("/run/%s: %v", c.socket, err))
		}
	}
	f := v1.RuntimeFact{Fact: unknown(v1.ReasonRuntimeUnknown, strings.Join(refusals, "; ")), NRISocket: findNRI(o.Roots.Run)}
	if ctx.Err() != nil {
		f.Reason = v1.ReasonTimedOut
	}
	if len(refusals) == 0 {
		f.Cause = "no known CRI socket exists below /run"
	}
	return f
}

// askRuntime asks one socket whether this Pod is among its sandboxes; outside of a Pod, whether it is a runtime at all.
func askRuntime(ctx context.Context, socket, podUID string) (v1.RuntimeFact, error) {
	if err := isSocket(socket); err != nil {
		return v1.RuntimeFact{}, err
	}
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return v1.RuntimeFact{}, err
	}
	defer func() { _ = conn.Close() }()
	client := cri.NewRuntimeServiceClient(conn)
	version, err := client.Version(ctx, &cri.VersionRequest{})
	if err != nil {
		return v1.RuntimeFact{}, err
	}
	fact := v1.RuntimeFact{Fact: yes(), Name: version.GetRuntimeName(), Version: version.GetRuntimeVersion()}
	if podUID == "" {
		fact.Cause = "the first runtime that answers; outside of a Pod nothing shows which one the kubelet uses"
		return fact, nil
	}
	return fact, knowsPod(ctx, client, podUID)
}

func knowsPod(ctx context.Context, client cri.RuntimeServiceClient, podUID string) error {
	list, err := client.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{
		Filter: &cri.PodSandboxFilter{LabelSelector: map[string]string{labelPodUID: podUID}},
	})
	if err != nil {
		return err
	}
	// A runtime that ignores the filter must not count as one that knows the Pod.
	for _, s := range list.GetItems() {
		if s.GetLabels()[labelPodUID] == podUID {
			return nil
		}
	}
	return fmt.Errorf("answers, and does not know the probe's Pod %s", podUID)
}

func isSocket(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("not a socket")
	}
	return nil
}

func findNRI(run string) string {
	if isSocket(filepath.Join(run, nriSocket)) != nil {
		return ""
	}
	return path.Join("/run", nriSocket)
}
