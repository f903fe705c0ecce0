// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/mtls/mtlstest"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

func newAuthority(t *testing.T, name string) *mtlstest.Authority {
	t.Helper()
	a, err := mtlstest.New(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serverFiles writes what the operator mounts.
func serverFiles(t *testing.T, a *mtlstest.Authority, folder string) {
	t.Helper()
	if _, err := a.IssueFor(folder, "server", time.Now().Add(time.Hour), x509.ExtKeyUsageServerAuth); err != nil {
		t.Fatal(err)
	}
}

// clientOf shows a certificate that an authority signed, for a while, and believes the folder's authority.
func clientOf(t *testing.T, folder string, a *mtlstest.Authority, usage x509.ExtKeyUsage, lasts time.Duration) mtls.Files {
	t.Helper()
	files, err := a.IssueFor(t.TempDir(), "client", time.Now().Add(lasts), usage)
	if err != nil {
		t.Fatal(err)
	}
	files.CA = mtls.Folder(folder).CA
	return files
}

// TestWhoGetsIn by mutual TLS, and what the others are told: each in a sentence that says what to do.
func TestWhoGetsIn(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	folder := t.TempDir()
	serverFiles(t, ca, folder)
	const clientAuth = x509.ExtKeyUsageClientAuth
	with := func(a *mtlstest.Authority, usage x509.ExtKeyUsage, lasts time.Duration) credentials.TransportCredentials {
		return mtls.Client(clientOf(t, folder, a, usage, lasts), "")
	}
	for name, tt := range map[string]struct {
		insecure bool
		client   credentials.TransportCredentials
		want     string
	}{
		"a client of the same CA":              {false, with(ca, clientAuth, time.Hour), ""},
		"without a certificate":                {false, mtls.Client(mtls.Files{CA: mtls.Folder(folder).CA}, ""), "this server lets in only clients with a certificate: give one that its authority signed"},
		"of another CA":                        {false, with(stranger, clientAuth, time.Hour), "this server refuses the client's certificate (CN=client): x509: certificate signed by unknown authority"},
		"whose certificate has ended":          {false, with(ca, clientAuth, -time.Minute), "this server refuses the client's certificate (CN=client): x509: certificate has expired"},
		"with a server's certificate":          {false, with(ca, x509.ExtKeyUsageServerAuth, time.Hour), "x509: certificate specifies an incompatible key usage"},
		"without TLS":                          {false, insecure.NewCredentials(), "this server speaks TLS only: give the client a certificate, or start the server with --insecure (an agent: --telemetry-insecure)"},
		"without TLS, where that may be":       {true, insecure.NewCredentials(), ""},
		"with TLS, where it need not be":       {true, with(ca, clientAuth, time.Hour), ""},
		"of another CA, where TLS need not be": {true, with(stranger, clientAuth, time.Hour), "this server refuses the client's certificate (CN=client): x509: certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Options{TLSDir: folder, Insecure: tt.insecure})
			stream, err := r.watch(r.dial(tt.client), "WatchAlerts", "all")
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				r.Alert(&feeder.Alert{PolicyName: "p"})
				if got := r.next(stream, "Alert"); got[0] != "PolicyName = p" || r.Refused() != 0 {
					t.Errorf("got %s, %d refused", got, r.Refused())
				}
				return
			}
			said := status.Convert(err)
			if said.Code() != codes.Unauthenticated || !strings.Contains(said.Message(), tt.want) {
				t.Errorf("the client is told: %v", err)
			}
			if r.Refused() != 1 || !strings.Contains(r.logged(), tt.want) {
				t.Errorf("%d refused; log:\n%s", r.Refused(), r.logged())
			}
		})
	}
}

// TestCertificatesMayComeLateAndChange without a restart; those that do not fit together leave the last ones in use.
func TestCertificatesMayComeLateAndChange(t *testing.T) {
	old, folder := newAuthority(t, "old"), t.TempDir()
	r := start(t, Options{TLSDir: folder})
	connects := func(a *mtlstest.Authority) error {
		files, err := a.Issue(t.TempDir(), "client")
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.watch(r.dial(mtls.Client(files, "")), "WatchAlerts", "all")
		return err
	}
	if err := connects(old); err == nil || !strings.Contains(r.logged(), mtls.Folder(folder).CA+": no such file") {
		t.Errorf("without certificates: %v; log:\n%s", err, r.logged())
	}
	serverFiles(t, old, folder)
	if err := connects(old); err != nil {
		t.Errorf("after they came: %v", err)
	}
	foreign := t.TempDir()
	serverFiles(t, old, foreign)
	if err := os.Rename(mtls.Folder(foreign).Key, mtls.Folder(folder).Key); err != nil {
		t.Fatal(err)
	}
	if err := connects(old); err != nil {
		t.Errorf("with a key of another certificate: %v", err)
	}
	fresh := newAuthority(t, "new")
	serverFiles(t, fresh, folder)
	if err := connects(fresh); err != nil {
		t.Errorf("of the new CA: %v", err)
	}
	if err := connects(old); err == nil {
		t.Error("a client of the old CA still gets in")
	}
}
