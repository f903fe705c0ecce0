// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Apply puts a set of policies in force in one step. On error the previous set stays in force, whole; a *TableFullError
// names the table that cannot hold the set, a *RuleError the rule that cannot be.
//
// The set's profiles are laid out into tables of their own, unless those in force hold the same ones. Then a table of
// bindings is made aside and takes the place of the old one, which is the switch. The kernel ends that system call only
// after every program that may have seen the old table has ended (maybe_wait_bpf_programs, 1ae80cf31938), so what the
// old generation alone used is released after it. A process that dies in between leaves tables that nothing refers to;
// the next Apply removes them.
func (c *Core) Apply(ctx context.Context, set compile.Set) error {
	if err := c.apply(ctx, set, func(*binding) {}); err != nil {
		return fmt.Errorf("apply generation %d: %w", set.Generation, err)
	}
	return nil
}

// apply is Apply with a last word on the header of the bindings.
func (c *Core) apply(ctx context.Context, set compile.Set, change func(header *binding)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed() {
		// What is wrong with the set is worth more than that.
		_, err := encode(set, c.key, nil)
		return cmp.Or(err, errClosed)
	}
	if c.pins != nil {
		unlock, err := c.pins.lock()
		if err != nil {
			return err
		}
		defer unlock()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	inForce, err := c.readBindings()
	if err != nil {
		return err
	}
	next, err := encode(set, c.key, inForce)
	if err != nil {
		return err
	}
	header := next.bindings[0]
	change(&header)
	next.bindings[0] = header
	return c.switchTo(next)
}

func (c *Core) switchTo(next generation) error {
	tables := next.bindings[0].Tables
	if next.namesCalls() {
		if err := c.watchCalls(); err != nil {
			return err
		}
	}
	if next.layout != nil {
		if err := c.writeTables(tables, next.layout); err != nil {
			return errors.Join(err, c.dropTables(tables))
		}
	}
	if err := c.switchBindings(next.bindings); err != nil {
		if next.layout != nil {
			err = errors.Join(err, c.dropTables(tables))
		}
		return err
	}
	c.finish(next)
	return nil
}

// finish cleans up after the switch. The new set is in force already, so a failure here is for the log; the next Apply
// tries again.
func (c *Core) finish(next generation) {
	header := next.bindings[0]
	if !next.namesCalls() {
		if err := c.unwatchCalls(); err != nil {
			c.log.Error(err, "system calls are looked at until the next generation, and no rule is on any")
		}
	}
	if err := c.dropTables(1 - header.Tables); err != nil {
		c.log.Error(err, "the tables of the previous generation stay until the next one")
	}
	if c.pins != nil {
		if err := c.pins.retire(); err != nil {
			c.log.Error(err, "an earlier core is still attached, and enforces its last policies besides these")
		}
	}
	c.log.V(1).Info("policies switched", "rules", header.Rules, "written", next.layout != nil, "bindings", header.Count)
}

// readBindings reads the table in force; it is empty before the first Apply.
func (c *Core) readBindings() (map[compile.CgroupID]binding, error) {
	entries := map[compile.CgroupID]binding{}
	table, err := c.tableInForce()
	if err != nil || table == nil {
		return entries, err
	}
	var key uint64
	var value binding
	iterator := table.Iterate()
	for iterator.Next(&key, &value) {
		entries[compile.CgroupID(key)] = value
	}
	if err := iterator.Err(); err != nil {
		return nil, fmt.Errorf("read bindings: %w", err)
	}
	return entries, nil
}
