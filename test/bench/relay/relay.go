// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/mtls/mtlstest"
	"github.com/kubearmor/kubearmor-operator/internal/relay/relaytest"
)

// security of all connections.
type security struct {
	agent, client credentials.TransportCredentials
	// flags are the relay's.
	flags []string
}

func newSecurity(dir string, tls bool) (security, error) {
	if !tls {
		plain := insecure.NewCredentials()
		return security{agent: plain, client: plain, flags: []string{"--insecure", "--agents-insecure"}}, nil
	}
	authority, err := mtlstest.New("bench")
	if err != nil {
		return security{}, err
	}
	files := map[string]mtls.Files{}
	for _, name := range []string{"kubearmor-agent", "kubearmor", "client"} {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			return security{}, err
		}
		if files[name], err = authority.Issue(folder, name); err != nil {
			return security{}, err
		}
	}
	return security{
		agent: mtls.Server(files["kubearmor-agent"]), client: mtls.Client(files["client"], "kubearmor"),
		flags: []string{"--tls-dir", filepath.Join(dir, "kubearmor")},
	}, nil
}

// process is the relay.
type process struct {
	cmd              *exec.Cmd
	address, metrics string
}

func startRelay(ctx context.Context, binary string, s security, agents []*relaytest.Agent) (*process, error) {
	p := &process{}
	for _, address := range []*string{&p.address, &p.metrics} {
		free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*address = free.Addr().String()
		if err := free.Close(); err != nil {
			return nil, err
		}
	}
	list := make([]string, len(agents))
	for i, a := range agents {
		list[i] = a.Name() + "=" + a.Address()
	}
	args := append([]string{"--listen", p.address, "--metrics-addr", p.metrics, "--health-addr=", "--agents", strings.Join(list, ",")}, s.flags...)
	p.cmd = exec.CommandContext(ctx, binary, args...)
	log, err := os.Create(binary + ".log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd.Stderr = log
	return p, p.cmd.Start()
}

// stop ends the relay in order; its clients read what is left.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// usage of the relay: resident memory in MiB, now and at most, and seconds of processor time.
type usage struct {
	rss, peak float64
	cpu       time.Duration
}

func (p *process) usage() (u usage, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			u.rss = kib / 1024
		case "VmHWM:":
			u.peak = kib / 1024
		}
	}
	seconds, err := p.metric("process_cpu_seconds_total")
	u.cpu = time.Duration(seconds * float64(time.Second))
	return u, err
}

// metric reads one value from the relay.
func (p *process) metric(name string) (float64, error) {
	answer, err := http.Get("http://" + p.metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the relay has no metric %s", name)
}
