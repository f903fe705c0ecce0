// SPDX-License-Identifier: Apache-2.0

package mtls_test

import (
	"context"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/mtls/mtlstest"
)

func authority(t *testing.T) *mtlstest.Authority {
	t.Helper()
	a, err := mtlstest.New("test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *mtlstest.Authority, dir, name string) mtls.Files {
	t.Helper()
	files, err := a.Issue(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// serve answers health checks with these credentials and returns its address.
func serve(t *testing.T, c credentials.TransportCredentials) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(c))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// ask makes one connection and one call.
func ask(t *testing.T, address string, c credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return err
}

func TestBothSidesProveWhoTheyAre(t *testing.T) {
	ours, theirs := authority(t), authority(t)
	server := issue(t, ours, t.TempDir(), "relay")
	client := issue(t, ours, t.TempDir(), "client")
	stranger := issue(t, theirs, t.TempDir(), "client")
	believing := mtls.Files{CA: server.CA, Cert: stranger.Cert, Key: stranger.Key}
	secure := serve(t, mtls.Server(server))
	open := serve(t, mtls.Door{Files: server, ClearText: true}.Credentials())
	plain := serve(t, insecure.NewCredentials())
	endedFiles, err := ours.IssueFor(t.TempDir(), "relay", time.Now().Add(-time.Minute), x509.ExtKeyUsageServerAuth)
	if err != nil {
		t.Fatal(err)
	}
	serverOnly, err := ours.IssueFor(t.TempDir(), "agent", time.Now().Add(time.Hour), x509.ExtKeyUsageServerAuth)
	if err != nil {
		t.Fatal(err)
	}
	ended := serve(t, mtls.Server(endedFiles))
	for name, tt := range map[string]struct {
		address string
		c       credentials.TransportCredentials
		says    string
	}{
		"a client of the same authority":              {secure, mtls.Client(client, "relay"), ""},
		"a client that goes by the address":           {secure, mtls.Client(client, ""), ""},
		"a server of another authority":               {secure, mtls.Client(stranger, "relay"), "give the authority that signed it (--tls-ca)"},
		"a server of another name":                    {secure, mtls.Client(client, "agent"), "certificate is valid for relay, not agent"},
		"a server whose certificate ended":            {ended, mtls.Client(client, "relay"), "renew it, or set this machine's clock"},
		"a server without TLS":                        {plain, mtls.Client(client, "relay"), "the server speaks no TLS"},
		"a client without TLS":                        {secure, insecure.NewCredentials(), "this server speaks TLS only"},
		"a client without TLS, where that may be":     {open, insecure.NewCredentials(), ""},
		"a client with TLS, where it need not be":     {open, mtls.Client(client, "relay"), ""},
		"a stranger, where TLS need not be":           {open, mtls.Client(believing, "relay"), "this server refuses the client's certificate (CN=client): x509: certificate signed by unknown authority"},
		"a client without a certificate":              {secure, mtls.Client(mtls.Files{CA: client.CA}, "relay"), "this server lets in only clients with a certificate"},
		"a client of another authority":               {secure, mtls.Client(believing, "relay"), "this server refuses the client's certificate (CN=client): x509: certificate signed by unknown authority"},
		"a server's certificate as a client's":        {secure, mtls.Client(serverOnly, "relay"), "incompatible key usage"},
		"a client whose files are gone":               {secure, mtls.Client(mtls.Folder(t.TempDir()), "relay"), "read the authority's certificate"},
		"a client that believes nobody in particular": {secure, mtls.Client(mtls.Files{}, "relay"), "not signed by the system's authorities"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ask(t, tt.address, tt.c)
			if tt.says == "" && err != nil || tt.says != "" && !strings.Contains(status.Convert(err).Message(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}

func TestARenewedCertificateNeedsNoRestart(t *testing.T) {
	old, renewed := authority(t), authority(t)
	serverDir, clientDir := t.TempDir(), t.TempDir()
	address := serve(t, mtls.Server(issue(t, old, serverDir, "relay")))
	client := mtls.Client(issue(t, old, clientDir, "client"), "relay")
	if err := ask(t, address, client); err != nil {
		t.Fatal(err)
	}
	issue(t, renewed, serverDir, "relay")
	if err := ask(t, address, client); err == nil {
		t.Error("a client of the old authority was let in after the server got a new one")
	}
	issue(t, renewed, clientDir, "client")
	if err := ask(t, address, client); err != nil {
		t.Errorf("after both sides were renewed: %v", err)
	}
}

func TestMistakesInFilesAreToldAtTheStart(t *testing.T) {
	good := issue(t, authority(t), t.TempDir(), "relay")
	other := issue(t, authority(t), t.TempDir(), "relay")
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	empty := good.Key + ".empty"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		files mtls.Files
		says  string
	}{
		"an authority that is no certificate": {mtls.Files{CA: empty}, "holds no certificate in PEM"},
		"a certificate without its key":       {mtls.Files{Cert: good.Cert}, "go together"},
		"a key of another certificate":        {mtls.Files{Cert: good.Cert, Key: other.Key}, "private key does not match"},
		"a folder that is not there":          {mtls.Folder("/nowhere"), "/nowhere/ca.crt"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.files.Check(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}
