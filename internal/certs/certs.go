// SPDX-License-Identifier: Apache-2.0

// Package certs decides which certificates are to be renewed, and makes them: those of an authority of our own and those
// that it signs. It is a function of what Secrets hold and of the time, so that a restart forgets nothing.
//
// An authority is followed by another one before it ends. The new one is believed at once and signs only when everybody
// has had time to read of it; the old one is believed until its end. So no connection is refused in between.
package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"
)

// Files of a Secret.
const (
	// FileCA holds the certificates of all authorities that are to be believed.
	FileCA = "ca.crt"
	// FileCert and FileKey hold a certificate and its key; in the authorities' own Secret, those of all, oldest first.
	FileCert = "tls.crt"
	FileKey  = "tls.key"
)

// Data of a Secret: PEM by file.
type Data = map[string][]byte

// Lives are how long certificates are valid, from a little before they are made: clocks differ.
type Lives struct {
	Authority, Leaf time.Duration
}

// DefaultLives of certificates.
func DefaultLives() Lives {
	const day = 24 * time.Hour
	return Lives{Authority: 5 * 365 * day, Leaf: 90 * day}
}

// minLeaf is the shortest life whose last third is longer than a kubelet takes to bring a changed Secret into its Pods, in
// most clusters.
const minLeaf = 3 * time.Minute

// Validate refuses lives that leave gaps.
func (l Lives) Validate() error {
	switch {
	case l.Leaf < minLeaf:
		return fmt.Errorf("--certificate-life is %s: certificates would end before their renewal reaches all Pods; set it to %s or more", l.Leaf, minLeaf)
	case l.Authority < 5*l.Leaf:
		return fmt.Errorf("--authority-life is %s: set it to %s, five times --certificate-life, or more", l.Authority, 5*l.Leaf)
	}
	return nil
}

// Input is what is there and what shall be.
type Input struct {
	Now   time.Time
	Lives Lives
	// Authority is the data of the authorities' Secret, nil when there is none; Leaves those of the others by identity.
	Authority Data
	Leaves    map[string]Data
	// Identities that shall have a certificate.
	Identities []Identity
}

// Change is one certificate that was made, and why.
type Change struct {
	// Name of the identity, or Authority.
	Name, Why string
}

// Authority names the authority in a Change and in Output.Ends.
const Authority = "authority"

// Output is what the Secrets shall hold. Where nothing is to be renewed it is what they hold already.
type Output struct {
	Authority Data
	Leaves    map[string]Data
	Changes   []Change
	// Ends of the certificates in use, by name.
	Ends map[string]time.Time
	// Next is when something changes by itself.
	Next time.Time
}

// Renew makes the certificates that are missing, wrong, or past two thirds of their lives.
func Renew(in Input) (Output, error) {
	out := Output{Leaves: map[string]Data{}, Ends: map[string]time.Time{}}
	authorities, why := standing(in.Authority, in.Now)
	if why == "" {
		why = successionDue(authorities, in.Now)
	}
	if why != "" {
		fresh, err := newAuthority(in.Now, in.Lives.Authority)
		if err != nil {
			return out, err
		}
		authorities = append(authorities, fresh)
		out.Changes = append(out.Changes, Change{Authority, why})
	}
	out.Authority = Data{FileCert: certsOf(authorities), FileKey: keysOf(authorities)}
	signer := signerOf(authorities, in.Now)
	out.Ends[Authority] = authorities[len(authorities)-1].cert.NotAfter
	out.Next = authorityNext(authorities, in.Now)
	for _, id := range in.Identities {
		leaf, why, err := renewLeaf(in, id, signer, certsOf(authorities))
		if err != nil {
			return out, fmt.Errorf("certificate of %s: %w", id.Name, err)
		}
		if why != "" {
			out.Changes = append(out.Changes, Change{id.Name, why})
		}
		out.Leaves[id.Name], out.Ends[id.Name] = leaf.data, leaf.cert.NotAfter
		out.Next = earlier(out.Next, dueAt(leaf.cert))
	}
	return out, nil
}

// standing are the authorities that a Secret holds and that are valid now. Of one that cannot be read none stands: who
// signed what is not known any more.
func standing(data Data, now time.Time) (authorities []pair, why string) {
	if len(data) == 0 {
		return nil, "there was none"
	}
	all, err := readPairs(data[FileCert], data[FileKey])
	if err != nil {
		return nil, "its Secret cannot be read: " + err.Error()
	}
	for _, a := range all {
		if !a.cert.IsCA {
			return nil, "its Secret holds a certificate that is no authority's"
		}
		if a.cert.NotAfter.After(now) && !a.cert.NotBefore.After(now) {
			authorities = append(authorities, a)
		}
	}
	if len(authorities) == 0 {
		return nil, "it has ended, or begins in the future"
	}
	return authorities, ""
}

// successionDue says why the newest authority needs one after it.
func successionDue(authorities []pair, now time.Time) (why string) {
	if newest := authorities[len(authorities)-1]; !now.Before(dueAt(newest.cert)) {
		return whyDue
	}
	return ""
}

const whyDue = "two thirds of its life are over"

// signerOf is the newest authority that everybody had time to read of; the oldest while there is none, since that is the
// one believed longest.
func signerOf(authorities []pair, now time.Time) pair {
	for i := len(authorities) - 1; i > 0; i-- {
		if !now.Before(settledAt(authorities[i].cert)) {
			return authorities[i]
		}
	}
	return authorities[0]
}

// authorityNext is when an authority follows, begins to sign, or ends.
func authorityNext(authorities []pair, now time.Time) time.Time {
	next := dueAt(authorities[len(authorities)-1].cert)
	for _, a := range authorities {
		for _, at := range []time.Time{settledAt(a.cert), a.cert.NotAfter} {
			if at.After(now) {
				next = earlier(next, at)
			}
		}
	}
	return next
}

type leaf struct {
	data Data
	cert *x509.Certificate
}

// renewLeaf keeps the certificate that is there unless there is a reason not to. What is believed is always the newest.
func renewLeaf(in Input, id Identity, signer pair, believed []byte) (out leaf, why string, err error) {
	have := in.Leaves[id.Name]
	p, why := leafWrong(have, id, signer.cert, in.Now)
	if why != "" {
		if p, err = newLeaf(id, signer, in.Now, in.Lives.Leaf); err != nil {
			return out, "", err
		}
	} else if !bytes.Equal(have[FileCA], believed) {
		why = "the authorities to believe changed"
	}
	return leaf{Data{FileCA: believed, FileCert: p.certPEM, FileKey: p.keyPEM}, p.cert}, why, nil
}

// leafWrong says why a certificate is to be made anew.
func leafWrong(have Data, id Identity, signer *x509.Certificate, now time.Time) (p pair, why string) {
	if len(have) == 0 {
		return p, "there was none"
	}
	pairs, err := readPairs(have[FileCert], have[FileKey])
	switch {
	case err != nil:
		return p, "its Secret cannot be read: " + err.Error()
	case len(pairs) != 1:
		return p, fmt.Sprintf("its Secret holds %d certificates", len(pairs))
	}
	p = pairs[0]
	switch {
	case p.cert.CheckSignatureFrom(signer) != nil:
		return p, "another authority signs now"
	case !id.isOf(p.cert):
		return p, "its names or usages changed"
	case !now.Before(dueAt(p.cert)):
		return p, whyDue
	case now.Before(p.cert.NotBefore):
		return p, "it begins in the future"
	}
	return p, ""
}
