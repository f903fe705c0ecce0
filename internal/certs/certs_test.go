// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func short() Lives { return Lives{Authority: time.Hour, Leaf: 12 * time.Minute} }

func identities(t *testing.T, spec v1.TLSSpec) []Identity {
	t.Helper()
	ids, err := Identities("kubearmor", spec)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// renew goes on from what was there.
func renew(t *testing.T, before Output, now time.Time, lives Lives, ids []Identity) Output {
	t.Helper()
	out, err := Renew(Input{Now: now, Lives: lives, Authority: before.Authority, Leaves: before.Leaves, Identities: ids})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// believes says why the holder of one Secret would refuse the certificate of another.
func believes(holder, shown Data, now time.Time, name string, usage x509.ExtKeyUsage) error {
	pairs, err := readPairs(shown[FileCert], shown[FileKey])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(holder[FileCA])
	_, err = pairs[0].cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

// meet lets everybody connect to whom they connect to; each side may have read its Secret at another time.
func meet(one, other Output, now time.Time) error {
	for _, c := range []struct {
		client, server, name string
	}{{Relay, Agent, "kubearmor-agent"}, {Client, Relay, "kubearmor"}, {Client, Relay, "kubearmor.kubearmor.svc"}, {Client, Agent, "kubearmor-agent"}} {
		if err := believes(one.Leaves[c.client], other.Leaves[c.server], now, c.name, x509.ExtKeyUsageServerAuth); err != nil {
			return fmt.Errorf("%s refuses %s: %w", c.client, c.server, err)
		}
		if err := believes(other.Leaves[c.server], one.Leaves[c.client], now, "", x509.ExtKeyUsageClientAuth); err != nil {
			return fmt.Errorf("%s refuses %s: %w", c.server, c.client, err)
		}
	}
	return nil
}

func TestNobodyRefusesAnybodyWhoReadItsSecretTwoMinutesLater(t *testing.T) {
	const step, lag = 15 * time.Second, 2 * time.Minute
	var history []Output
	authorities, leaves := 0, 0
	out := Output{}
	for now := noon(); now.Before(noon().Add(5 * time.Hour)); now = now.Add(step) {
		out = renew(t, out, now, short(), identities(t, v1.TLSSpec{}))
		for _, c := range out.Changes {
			if c.Name == Authority {
				authorities++
			} else {
				leaves++
			}
		}
		history = append(history, out)
		late := history[max(0, len(history)-1-int(lag/step))]
		for _, pair := range [][2]Output{{out, out}, {out, late}, {late, out}} {
			if err := meet(pair[0], pair[1], now); err != nil {
				t.Fatalf("after %s: %v", now.Sub(noon()), err)
			}
		}
	}
	if authorities < 7 || leaves < 100 {
		t.Errorf("only %d authorities and %d changes of certificates in 5 hours", authorities, leaves)
	}
}

func TestTheLifeOfOneAuthorityStepByStep(t *testing.T) {
	var log []string
	out := Output{}
	for minute := range 65 {
		out = renew(t, out, noon().Add(time.Duration(minute)*time.Minute), short(), identities(t, v1.TLSSpec{})[:1])
		for _, c := range out.Changes {
			log = append(log, fmt.Sprintf("%d: %s: %s", minute, c.Name, c.Why))
		}
	}
	want := []string{
		"0: authority: there was none",
		"0: agent: there was none",
		"8: agent: two thirds of its life are over",
		"16: agent: two thirds of its life are over",
		"24: agent: two thirds of its life are over",
		"32: agent: two thirds of its life are over",
		"37: authority: two thirds of its life are over",
		"37: agent: the authorities to believe changed",
		"40: agent: two thirds of its life are over",
		"43: agent: another authority signs now",
		"51: agent: two thirds of its life are over",
		"57: agent: the authorities to believe changed",
		"59: agent: two thirds of its life are over",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
}

func TestNextIsWhenSomethingChanges(t *testing.T) {
	now, end := noon(), noon().Add(5*time.Hour)
	ids := identities(t, v1.TLSSpec{})
	out := renew(t, Output{}, now, short(), ids)
	for now.Before(end) {
		if !out.Next.After(now) {
			t.Fatalf("at %s the next look is at %s", now, out.Next)
		}
		if before := out.Next.Add(-time.Second); before.After(now) {
			if early := renew(t, out, before, short(), ids); len(early.Changes) > 0 {
				t.Fatalf("at %s, before %s: %v", before, out.Next, early.Changes)
			}
		}
		now = out.Next
		out = renew(t, out, now, short(), ids)
	}
}

func TestWhatIsGoodStays(t *testing.T) {
	ids := identities(t, v1.TLSSpec{ExtraDNSNames: []string{"relay.test"}, ExtraIPAddresses: []string{"10.0.0.1", "fd00::1"}})
	first := renew(t, Output{}, noon(), DefaultLives(), ids)
	again := renew(t, first, noon().Add(time.Hour), DefaultLives(), ids)
	first.Changes, first.Next = nil, again.Next
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
}

func TestWhyACertificateIsMadeAnew(t *testing.T) {
	ids := identities(t, v1.TLSSpec{})
	good := renew(t, Output{}, noon(), DefaultLives(), ids)
	foreign := renew(t, Output{}, noon(), DefaultLives(), ids)
	cases := []struct {
		name   string
		change func(in *Input)
		want   []Change
	}{
		{"a certificate that is gone", func(in *Input) { delete(in.Leaves, Client) }, []Change{{Client, "there was none"}}},
		{
			"a key of another certificate", func(in *Input) { in.Leaves[Agent][FileKey] = in.Leaves[Relay][FileKey] },
			[]Change{{Agent, "its Secret cannot be read: tls: private key does not match public key"}},
		},
		{"an emptied file", func(in *Input) { in.Leaves[Agent][FileCert] = nil }, []Change{{Agent, "its Secret cannot be read: tls.crt holds no certificate"}}},
		{"a certificate too many", func(in *Input) {
			in.Leaves[Agent][FileCert] = slices.Concat(in.Leaves[Agent][FileCert], in.Leaves[Relay][FileCert])
			in.Leaves[Agent][FileKey] = slices.Concat(in.Leaves[Agent][FileKey], in.Leaves[Relay][FileKey])
		}, []Change{{Agent, "its Secret holds 2 certificates"}}},
		{"a certificate of another identity", func(in *Input) { in.Leaves[Agent] = clone(in.Leaves[Relay]) }, []Change{{Agent, "its names or usages changed"}}},
		{"a foreign authority's certificate", func(in *Input) { in.Leaves[Agent] = clone(foreign.Leaves[Agent]) }, []Change{{Agent, "another authority signs now"}}},
		{"another authority to believe", func(in *Input) { in.Leaves[Agent][FileCA] = foreign.Leaves[Agent][FileCA] }, []Change{{Agent, "the authorities to believe changed"}}},
		{
			"another name of the relay", func(in *Input) { in.Identities = identities(t, v1.TLSSpec{ExtraDNSNames: []string{"relay.test"}}) },
			[]Change{{Relay, "its names or usages changed"}},
		},
		{
			"a clock that went back", func(in *Input) { in.Now = noon().Add(-2 * time.Hour) },
			[]Change{
				{Authority, "it has ended, or begins in the future"},
				{Agent, "another authority signs now"},
				{Relay, "another authority signs now"},
				{Client, "another authority signs now"},
			},
		},
		{"an authority that cannot be read", func(in *Input) { in.Authority[FileKey] = []byte("x") }, []Change{
			{Authority, "its Secret cannot be read: tls.crt holds 1 certificates, tls.key 0 keys"},
			{Agent, "another authority signs now"},
			{Relay, "another authority signs now"},
			{Client, "another authority signs now"},
		}},
		{"an authority that is none", func(in *Input) { in.Authority = clone(in.Leaves[Agent]) }, []Change{
			{Authority, "its Secret holds a certificate that is no authority's"},
			{Agent, "another authority signs now"},
			{Relay, "another authority signs now"},
			{Client, "another authority signs now"},
		}},
		{"an operator that was away for years", func(in *Input) { in.Now = noon().AddDate(6, 0, 0) }, []Change{
			{Authority, "it has ended, or begins in the future"},
			{Agent, "another authority signs now"},
			{Relay, "another authority signs now"},
			{Client, "another authority signs now"},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := Input{Now: noon().Add(time.Hour), Lives: DefaultLives(), Authority: clone(good.Authority), Leaves: map[string]Data{}, Identities: ids}
			for name, data := range good.Leaves {
				in.Leaves[name] = clone(data)
			}
			c.change(&in)
			out, err := Renew(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, out.Changes); diff != "" {
				t.Error(diff)
			}
			if err := meet(out, out, in.Now); err != nil {
				t.Error(err)
			}
		})
	}
}

func clone(d Data) Data {
	out := Data{}
	for file, text := range d {
		out[file] = slices.Clone(text)
	}
	return out
}

func TestCertificatesAreGoodForNothingElse(t *testing.T) {
	out := renew(t, Output{}, noon(), DefaultLives(), identities(t, v1.TLSSpec{ExtraIPAddresses: []string{"10.0.0.1"}}))
	for _, c := range []struct {
		name, shown, as string
		usage           x509.ExtKeyUsage
		want            string
	}{
		{"an agent as a client", Agent, "", x509.ExtKeyUsageClientAuth, "incompatible key usage"},
		{"a client as a server", Client, "", x509.ExtKeyUsageServerAuth, "incompatible key usage"},
		{"an agent as the relay", Agent, "kubearmor", x509.ExtKeyUsageServerAuth, "not kubearmor"},
		{"the relay as an agent", Relay, "kubearmor-agent", x509.ExtKeyUsageServerAuth, "not kubearmor-agent"},
		{"the relay at an address of the spec", Relay, "10.0.0.1", x509.ExtKeyUsageServerAuth, ""},
		{"the relay behind a forwarded port", Relay, "127.0.0.1", x509.ExtKeyUsageServerAuth, ""},
	} {
		err := believes(out.Leaves[Client], out.Leaves[c.shown], noon(), c.as, c.usage)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	for name, data := range out.Leaves {
		if strings.Contains(string(data[FileCA]), "PRIVATE KEY") || len(data) != 3 {
			t.Errorf("the Secret of %s holds more than a certificate, its key and whom to believe", name)
		}
	}
}

func TestNamesAndAddressesThatAreNoneAreNamed(t *testing.T) {
	ids, err := Identities("kubearmor", v1.TLSSpec{ExtraDNSNames: []string{"a_b", "*.relay.test"}, ExtraIPAddresses: []string{"999.1", "10.0.0.1"}})
	if err == nil || !strings.Contains(err.Error(), `extraDnsNames: "a_b"`) || !strings.Contains(err.Error(), `extraIpAddresses: "999.1"`) {
		t.Errorf("got %v", err)
	}
	relay := ids[1]
	if !slices.Contains(relay.DNSNames, "*.relay.test") || slices.Contains(relay.DNSNames, "a_b") || len(relay.IPs) != 3 {
		t.Errorf("names %v, addresses %v", relay.DNSNames, relay.IPs)
	}
}
