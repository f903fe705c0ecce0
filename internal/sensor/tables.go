// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// writeTables makes one generation's rules and automata, of just the size that they need, and puts them into one of the
// two places that the core knows.
func (c *Core) writeTables(place uint32, layout *table.Tables) error {
	err := putTable(c, place, inner{name: tableRules, need: layout.Entries, capacity: table.MaxEntries}, layout.Buckets)
	if err != nil {
		return err
	}
	return putTable(c, place, inner{name: tableAutomata, need: len(layout.Pages), capacity: table.MaxPages}, layout.Pages)
}

// inner is a table of one generation: its name, and what it says when it is full.
type inner struct {
	name           string
	need, capacity int
}

func putTable[V any](c *Core, place uint32, t inner, values []V) error {
	made, err := c.newTable(t.name, len(values))
	if err != nil {
		return t.putError("make", err)
	}
	defer made.Close()
	keys := make([]uint32, len(values))
	for i := range keys {
		keys[i] = uint32(i)
	}
	if _, err := made.BatchUpdate(keys, values, nil); err != nil {
		return t.putError("fill", err)
	}
	if err := c.maps[t.name].Put(place, made); err != nil {
		return t.putError("place", err)
	}
	return nil
}

func (t inner) putError(step string, err error) error {
	if errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ENOMEM) {
		return &TableFullError{Table: t.name, Need: t.need, Capacity: t.capacity}
	}
	return fmt.Errorf("%s %s: %w", step, t.name, err)
}

// dropTables empties one of the two places.
func (c *Core) dropTables(place uint32) error {
	var errs []error
	for _, name := range []string{tableRules, tableAutomata} {
		if err := c.maps[name].Delete(place); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			errs = append(errs, fmt.Errorf("drop %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// newTable makes an inner map of one of the maps of maps.
func (c *Core) newTable(name string, entries int) (*ebpf.Map, error) {
	spec := c.inner[name].Copy()
	spec.Name, spec.MaxEntries = name, uint32(entries)
	return ebpf.NewMap(spec)
}
