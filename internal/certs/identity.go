// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Names of the identities.
const (
	Agent  = "agent"
	Relay  = "relay"
	Client = "client"
)

// Identity is one that has a certificate.
type Identity struct {
	// Name of it among ours, and CommonName in the certificate.
	Name, CommonName string
	DNSNames         []string
	IPs              []net.IP
	Usages           []x509.ExtKeyUsage
}

// Identities of a fleet. Agents serve, clients connect, the relay does both. A name or an address that is none is left out
// and named by the error; the identities are good all the same.
func Identities(namespace string, spec v1.TLSSpec) ([]Identity, error) {
	service := v1.RelayService
	relay := Identity{
		Name: Relay, CommonName: service,
		DNSNames: []string{service, service + "." + namespace, service + "." + namespace + ".svc", service + "." + namespace + ".svc.cluster.local", "localhost"},
		IPs:      []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		Usages:   []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	var errs []error
	for _, name := range spec.ExtraDNSNames {
		switch {
		case !isName(name):
			errs = append(errs, fmt.Errorf("spec.tls.extraDnsNames: %q is no DNS name; correct it, the relay's certificate is without it", name))
		case !slices.Contains(relay.DNSNames, name):
			relay.DNSNames = append(relay.DNSNames, name)
		}
	}
	for _, text := range spec.ExtraIPAddresses {
		switch ip := net.ParseIP(text); {
		case ip == nil:
			errs = append(errs, fmt.Errorf("spec.tls.extraIpAddresses: %q is no IP address; correct it, the relay's certificate is without it", text))
		case !slices.ContainsFunc(relay.IPs, ip.Equal):
			relay.IPs = append(relay.IPs, ip)
		}
	}
	return []Identity{
		{Name: Agent, CommonName: v1.AgentServerName, DNSNames: []string{v1.AgentServerName}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
		relay,
		{Name: Client, CommonName: "kubearmor-client", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
	}, errors.Join(errs...)
}

func isName(name string) bool {
	return len(validation.IsDNS1123Subdomain(name)) == 0 || len(validation.IsWildcardDNS1123Subdomain(name)) == 0
}

// isOf says whether a certificate is for this identity, no more and no less.
func (id Identity) isOf(c *x509.Certificate) bool {
	return c.Subject.CommonName == id.CommonName && slices.Equal(c.DNSNames, id.DNSNames) &&
		slices.EqualFunc(c.IPAddresses, id.IPs, net.IP.Equal) && slices.Equal(c.ExtKeyUsage, id.Usages)
}
