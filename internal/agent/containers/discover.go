// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"context"
	"path/filepath"
	"sync"
)

// Discovered is a runtime that nobody has named: it is looked for until it is found. A probe of a busy node may have got
// no answer from a runtime that is there all the same.
type Discovered struct {
	// Find gives the runtime's socket as a path on the host, HostRoot where this process sees the host.
	Find     func(ctx context.Context) (string, error)
	HostRoot string

	mu    sync.Mutex
	found *CRI
}

func (d *Discovered) runtime(ctx context.Context) (*CRI, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found != nil {
		return d.found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	socket, err := d.Find(ctx)
	if err != nil {
		return nil, err
	}
	d.found, err = DialCRI(filepath.Join(d.HostRoot, socket))
	return d.found, err
}

// List is Runtime's.
func (d *Discovered) List(ctx context.Context) ([]Container, error) {
	r, err := d.runtime(ctx)
	if err != nil {
		return nil, err
	}
	return r.List(ctx)
}

// Details is Runtime's.
func (d *Discovered) Details(ctx context.Context, id string) (Details, error) {
	r, err := d.runtime(ctx)
	if err != nil {
		return Details{}, err
	}
	return r.Details(ctx, id)
}

// Sandbox is Runtime's.
func (d *Discovered) Sandbox(ctx context.Context, id string) (labels, annotations map[string]string, err error) {
	r, err := d.runtime(ctx)
	if err != nil {
		return nil, nil, err
	}
	return r.Sandbox(ctx, id)
}
