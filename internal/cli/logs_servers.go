// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-logr/logr"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/mtls"
)

// Names that certificates are for where one reaches Pods, not addresses.
const (
	relayServerName = "kubearmor"
	agentServerName = "kubearmor-agent"
)

// logsPort of relays and agents.
const logsPort = 32767

// maxAgents that are read without a relay: each is a connection through the API server.
const maxAgents = 50

func (l *logs) credentials(name string) credentials.TransportCredentials {
	if l.insecure {
		return insecure.NewCredentials()
	}
	return mtls.Client(l.tls, cmp.Or(l.tlsServerName, name))
}

// servers that there are to read: that of --address, the cluster's relay, or all agents.
func (l *logs) servers(ctx context.Context) ([]server, error) {
	if l.address == "" {
		return l.forwarded(ctx)
	}
	host, port, err := net.SplitHostPort(l.address)
	if err != nil || port == "" {
		return nil, usagef("--address %q is not host:port", l.address)
	}
	return []server{{name: l.address, address: l.address, credentials: l.credentials(host), close: func() {}}}, nil
}

// forwarded finds Pods and opens a way to each through the API server.
func (l *logs) forwarded(ctx context.Context) ([]server, error) {
	config, err := l.cluster.config()
	if errors.Is(err, errNoCluster) {
		return nil, fmt.Errorf("%w, or name a relay or an agent with --address", err)
	}
	if err != nil {
		return nil, err
	}
	client, err := podClient(config)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	serverName := relayServerName
	pods, err := l.runningPods(ctx, client, v1.AppRelay)
	if err != nil {
		return nil, err
	}
	if len(pods) > 1 {
		// Every relay reads all agents: from two of them everything would come twice.
		pods = pods[:1]
	}
	if len(pods) == 0 {
		serverName = agentServerName
		if pods, err = l.runningPods(ctx, client, v1.AppAgent); err != nil {
			return nil, err
		}
	}
	switch {
	case len(pods) == 0:
		return nil, errors.New("neither a relay nor an agent of KubeArmor runs in this cluster; see: karmor probe")
	case len(pods) > maxAgents:
		return nil, fmt.Errorf("%d agents and no relay: start the relay, or read one agent with --address", len(pods))
	}
	security, err := l.clusterCredentials(ctx, client, pods[0].Namespace, serverName)
	if err != nil {
		return nil, err
	}
	var out []server
	for _, pod := range pods {
		s, err := forward(ctx, config, client, pod)
		if err != nil {
			for _, open := range out {
				open.close()
			}
			return nil, err
		}
		s.credentials = security
		out = append(out, s)
	}
	return out, nil
}

// clusterCredentials are those of the flags, or else those that the operator made for clients.
func (l *logs) clusterCredentials(ctx context.Context, client *rest.RESTClient, namespace, serverName string) (credentials.TransportCredentials, error) {
	if l.insecure || l.tls != (mtls.Files{}) {
		return l.credentials(serverName), nil
	}
	secret, from := &corev1.Secret{}, fmt.Sprintf("Secret %s/%s", namespace, v1.SecretClient)
	err := client.Get().Namespace(namespace).Resource("secrets").Name(v1.SecretClient).Do(ctx).Into(secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s is not there: the operator makes it (see: kubectl get kubearmorconfigs -A); give other certificates "+
			"with --tls-ca, --tls-cert and --tls-key, or --insecure where the server was started so", from)
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return nil, fmt.Errorf("read %s: %w; ask for get on it, or give certificates with --tls-ca, --tls-cert and --tls-key", from, err)
	case err != nil:
		return nil, explainAway(fmt.Errorf("read %s: %w", from, err))
	}
	security, err := mtls.ClientOf(from, secret.Data, cmp.Or(l.tlsServerName, serverName))
	if err != nil {
		return nil, fmt.Errorf("%w; delete the Secret, and the operator makes it anew", err)
	}
	return security, nil
}

func podClient(config *rest.Config) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.Timeout, config.APIPath, config.GroupVersion = requestTimeout, "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.RESTClientFor(config)
}

// runningPods of one of our parts, by name.
func (l *logs) runningPods(ctx context.Context, client *rest.RESTClient, app string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := client.Get().Namespace(l.namespace).Resource("pods").Param("labelSelector", v1.LabelApp+"="+app).Do(ctx).Into(list)
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return nil, fmt.Errorf("list Pods: %w; ask for list on pods and create on pods/portforward, name KubeArmor's namespace with --kubearmor-namespace, or use --address", err)
	}
	if err != nil {
		return nil, explainAway(fmt.Errorf("list Pods: %w", err))
	}
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil })
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return pods, nil
}

// forward opens a port of this machine that leads to the Pod's.
func forward(ctx context.Context, config *rest.Config, client *rest.RESTClient, pod corev1.Pod) (server, error) {
	name := "Pod " + pod.Namespace + "/" + pod.Name
	url := client.Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return server{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	tunnel, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, config)
	if err != nil {
		return server{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	// An API server before 1.31 knows no websockets here.
	dialer := portforward.NewFallbackDialerForStreaming(tunnel,
		spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url),
		func(err error) bool { return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err) })
	// What goes wrong on the way, the stream's own error says.
	ctx, cancel := context.WithCancel(klog.NewContext(ctx, logr.Discard()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	f, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"}, []string{":" + strconv.Itoa(logsPort)}, ready, nil, nil)
	if err != nil {
		cancel()
		return server{}, fmt.Errorf("forward a port to %s: %w", name, err)
	}
	go func() { ended <- f.ForwardPorts() }()
	select {
	case err := <-ended:
		cancel()
		return server{}, explainAway(fmt.Errorf("forward a port to %s: %w; it takes the right to create pods/portforward, or use --address", name, err))
	case <-ready:
	}
	ports, err := f.GetPorts()
	if err != nil {
		cancel()
		return server{}, fmt.Errorf("forward a port to %s: %w", name, err)
	}
	return server{name: name, address: net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ports[0].Local))), close: cancel}, nil
}

// explainStream takes gRPC's wrapping off an error and says what to do about it.
func explainStream(err error) error {
	if errors.Is(err, errNothingHeld) {
		return err
	}
	text := status.Convert(err).Message()
	if _, goodbye, found := strings.Cut(text, `debug data: "`); found {
		// The server said itself why it lets nobody in.
		return errors.New(strings.TrimSuffix(goodbye, `"`))
	}
	for _, wrapping := range []string{`connection error: desc = "`, "transport: ", "authentication handshake failed: ", "Error while dialing: "} {
		if _, after, found := strings.Cut(text, wrapping); found {
			text = strings.TrimSuffix(after, `"`)
		}
	}
	for _, known := range []struct{ part, advice string }{
		{"connection refused", "cannot be reached: " + text + "; check the address, and that a relay or an agent runs there"},
		{"no such host", "cannot be reached: " + text + "; check the address"},
		{"i/o timeout", "does not answer: " + text + "; check the address"},
		{"unknown service feeder.LogService", "this is neither a relay nor an agent of KubeArmor; check the address"},
		{"error reading server preface", "this is neither a relay nor an agent of KubeArmor: " + text + "; check the address, and whether it speaks TLS"},
	} {
		if strings.Contains(text, known.part) {
			return errors.New(known.advice)
		}
	}
	return errors.New(text)
}
