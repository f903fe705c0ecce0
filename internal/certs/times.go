// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"time"
)

// maxBackdate bounds how long before it is made a certificate is valid, for the clocks of others.
const maxBackdate = time.Hour

// maxSettle bounds how long everybody has to read of a new authority: a kubelet brings a changed Secret into its Pods
// within about two minutes.
const maxSettle = 10 * time.Minute

func backdate(life time.Duration) time.Duration { return min(maxBackdate, life/20) }

func lifeOf(c *x509.Certificate) time.Duration { return c.NotAfter.Sub(c.NotBefore) }

// dueAt is when a certificate is renewed: at two thirds of its life.
func dueAt(c *x509.Certificate) time.Time { return c.NotBefore.Add(lifeOf(c) / 3 * 2) }

// settledAt is when an authority begins to sign. It is before a sixth of its life, so that the one before, which has a third
// of its own left, is still believed.
func settledAt(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(backdate(lifeOf(c)) + min(maxSettle, lifeOf(c)/10))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
