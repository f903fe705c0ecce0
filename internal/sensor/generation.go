// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cilium/ebpf"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Pins of the table of bindings, beside the maps: the one in force, and the one that is about to be. The slot that the
// programs look into gives only an id, and to open a map by its id takes CAP_SYS_ADMIN, which agents do not have.
const (
	pinInForce = "generation"
	pinNext    = "generation-next"
)

// tableInForce is nil before the first Apply. The Core closes it.
func (c *Core) tableInForce() (*ebpf.Map, error) {
	var id ebpf.MapID
	err := c.maps[tableBindings].Lookup(uint32(0), &id)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read bindings: %w", err)
	}
	if c.inForce != nil && hasID(c.inForce, id) {
		return c.inForce, nil
	}
	table, err := c.findTable(id)
	if err != nil {
		return nil, fmt.Errorf("open bindings: %w", err)
	}
	return table, c.hold(table)
}

// findTable opens the table that an earlier process put in force. One that died between its two steps left it under the
// second name.
func (c *Core) findTable(id ebpf.MapID) (*ebpf.Map, error) {
	if c.pins != nil && c.pins.keeping {
		for _, name := range []string{pinInForce, pinNext} {
			table, err := ebpf.LoadPinnedMap(c.pins.mapPath(name), nil)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if hasID(table, id) {
				return table, nil
			}
			if err := table.Close(); err != nil {
				return nil, err
			}
		}
	}
	return ebpf.NewMapFromID(id)
}

func hasID(table *ebpf.Map, want ebpf.MapID) bool {
	info, err := table.Info()
	if err != nil {
		return false
	}
	id, known := info.ID()
	return known && id == want
}

// hold keeps the table in force open, and closes the one before.
func (c *Core) hold(table *ebpf.Map) error {
	before := c.inForce
	c.inForce = table
	if before == nil {
		return nil
	}
	return before.Close()
}

// switchBindings makes the new table and puts it in the place of the old one.
func (c *Core) switchBindings(bindings map[compile.CgroupID]binding) error {
	table, err := c.newTable(tableBindings, len(bindings))
	if err != nil {
		return fmt.Errorf("make bindings: %w", err)
	}
	if err := c.putInForce(table, bindings); err != nil {
		return errors.Join(err, table.Close())
	}
	return c.hold(table)
}

func (c *Core) putInForce(table *ebpf.Map, bindings map[compile.CgroupID]binding) error {
	for cgroup, b := range bindings {
		if err := table.Put(uint64(cgroup), b); err != nil {
			return fmt.Errorf("write binding: %w", err)
		}
	}
	keeping := c.pins != nil && c.pins.keeping
	if keeping {
		if err := c.pins.pinNext(table); err != nil {
			return err
		}
	}
	if err := c.maps[tableBindings].Put(uint32(0), table); err != nil {
		return fmt.Errorf("switch bindings: %w", err)
	}
	if !keeping {
		return nil
	}
	// The switch is done: this is for the process after this one, which knows the other name too.
	if err := os.Rename(c.pins.mapPath(pinNext), c.pins.mapPath(pinInForce)); err != nil {
		c.log.Error(err, "the pin of the bindings keeps its name of before the switch")
	}
	return nil
}

// pinNext pins a table that is about to be in force.
func (p *pins) pinNext(table *ebpf.Map) error {
	path := p.mapPath(pinNext)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove left-over pin: %w", err)
	}
	if err := table.Pin(path); err != nil {
		return fmt.Errorf("pin bindings: %w", err)
	}
	return nil
}
