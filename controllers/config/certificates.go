// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/apply"
	"github.com/kubearmor/kubearmor-operator/internal/certs"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// lookEvery is how often the Secrets are looked at, at the least: to watch them the operator would have to be let to read
// all Secrets of its namespace. Whatever was done to them is repaired within this time.
const lookEvery = 30 * time.Second

// look at the certificates. It only saves the API server the same question on each run; without it, as after a restart, the
// Secrets say everything.
type look struct {
	// until it holds, for these identities.
	until  time.Time
	wanted []certs.Identity
}

// secretOf each identity, and of the authority.
func secretOf() map[string]string {
	return map[string]string{
		certs.Authority: v1.SecretAuthority, certs.Agent: v1.SecretAgent, certs.Relay: v1.SecretRelay, certs.Client: v1.SecretClient,
	}
}

// certify has the certificates made and renewed. What goes wrong with them is a condition and holds up no agent: protection
// needs no certificates.
func (r *Reconciler) certify(ctx context.Context, s *scope) error {
	wanted, invalid := certs.Identities(r.Defaults.Namespace, s.inForce.Spec.TLS)
	if s.now.Before(r.certificates.until) && reflect.DeepEqual(wanted, r.certificates.wanted) {
		s.wakeBy(r.certificates.until)
	} else if err := r.renew(ctx, s, wanted); err != nil {
		s.certificates = conditions.False(v1.ReasonApplyFailed, err.Error())
		s.wakeBy(s.now.Add(lookEvery))
		return nil
	}
	if invalid != nil {
		s.certificates = conditions.False(v1.ReasonFieldInvalid, invalid.Error())
		return nil
	}
	s.certificates = conditions.True(v1.ReasonAsExpected, "agents, relay and clients have certificates of the operator's own authority")
	return nil
}

func (r *Reconciler) renew(ctx context.Context, s *scope, wanted []certs.Identity) error {
	in := certs.Input{Now: s.now, Lives: r.Lives, Identities: wanted, Leaves: map[string]certs.Data{}}
	for name, secret := range secretOf() {
		data, err := r.readSecret(ctx, secret)
		if err != nil {
			return err
		}
		in.Leaves[name] = data
	}
	in.Authority = in.Leaves[certs.Authority]
	out, err := certs.Renew(in)
	if err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	if err := r.writeSecrets(ctx, out); err != nil {
		return err
	}
	r.announceRenewal(s, out.Changes)
	r.metrics.observeCertificates(out.Ends)
	until := s.now.Add(lookEvery)
	if out.Next.Before(until) {
		until = out.Next
	}
	r.certificates = look{until: until, wanted: wanted}
	s.wakeBy(until)
	return nil
}

func (r *Reconciler) readSecret(ctx context.Context, name string) (certs.Data, error) {
	secret := &corev1.Secret{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Defaults.Namespace, Name: name}, secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read Secret %s: %w", name, err)
	}
	return secret.Data, nil
}

// writeSecrets writes the authority first: a certificate that an unknown authority signed would be made anew.
func (r *Reconciler) writeSecrets(ctx context.Context, out certs.Output) error {
	authority := render.CertificateSecret(r.Defaults.Namespace, v1.SecretAuthority, out.Authority)
	if err := r.Writer.Apply(ctx, []apply.Object{authority}); err != nil {
		return err
	}
	var errs []error
	for name, data := range out.Leaves {
		secret := render.CertificateSecret(r.Defaults.Namespace, secretOf()[name], data)
		errs = append(errs, r.Writer.Apply(ctx, []apply.Object{secret}))
	}
	return errors.Join(errs...)
}

func (r *Reconciler) announceRenewal(s *scope, changes []certs.Change) {
	if len(changes) == 0 {
		return
	}
	var made []string
	for _, c := range changes {
		made = append(made, c.Name+" ("+c.Why+")")
	}
	r.Recorder.Eventf(s.config, nil, corev1.EventTypeNormal, "CertificatesRenewed", "Renew", "certificates were made for: %s", strings.Join(made, ", "))
}
