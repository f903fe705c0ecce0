// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"context"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// batch is how many rules one system call reads; it must be more than any bucket of the hash table holds.
const batch = 4096

// Apply puts a set of policies in force in one step. On error the previous set stays in force, whole; a *TableFullError
// names the table that cannot hold the set, a *RuleError the rule that cannot be.
//
// The set's new profiles are written first: nothing refers to them yet. Then a table of bindings is made aside and takes
// the place of the old one, which is the switch. The kernel ends that system call only after every program that may
// have seen the old table has ended (maybe_wait_bpf_programs, 1ae80cf31938), so what the old generation alone used is
// deleted after it. A process that dies in between leaves profiles that nothing refers to; the next Apply removes them.
func (c *Core) Apply(ctx context.Context, set compile.Set) error {
	next, err := encode(set, c.key)
	if err != nil {
		return fmt.Errorf("apply generation %d: %w", set.Generation, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed() {
		return fmt.Errorf("apply generation %d: %w", set.Generation, errClosed)
	}
	if c.pins != nil {
		unlock, err := c.pins.lock()
		if err != nil {
			return fmt.Errorf("apply generation %d: %w", set.Generation, err)
		}
		defer unlock()
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("apply generation %d: %w", set.Generation, err)
	}
	if err := c.switchTo(next); err != nil {
		return fmt.Errorf("apply generation %d: %w", set.Generation, err)
	}
	return nil
}

func (c *Core) switchTo(next tables) error {
	held, err := c.readRules()
	if err != nil {
		return err
	}
	inForce, err := c.readBindings()
	if err != nil {
		return err
	}
	plan, err := planSwitch(held, inForce, next)
	if err != nil {
		return err
	}
	if capacity := int(c.maps[tableRules].MaxEntries()); plan.need > capacity {
		return &TableFullError{Table: tableRules, Need: plan.need, Capacity: capacity}
	}
	if err := c.deleteRules(plan.leftovers); err != nil {
		return err
	}
	if err := c.writeRules(plan.write, plan.need); err != nil {
		return err
	}
	if err := c.switchBindings(next.bindings); err != nil {
		return errors.Join(err, c.deleteRules(keysOf(plan.write)))
	}
	c.finish(plan, len(next.bindings))
	return nil
}

// finish cleans up after the switch. The new set is in force already, so a failure here is for the log; the next Apply
// tries again.
func (c *Core) finish(plan plan, bindings int) {
	c.ruleCount = plan.need
	if err := c.deleteRules(plan.stale); err != nil {
		c.log.Error(err, "profiles of the previous generation stay in the table until the next one")
	} else {
		c.ruleCount -= len(plan.stale)
	}
	if c.pins != nil {
		if err := c.pins.retire(); err != nil {
			c.log.Error(err, "an earlier core is still attached, and enforces its last policies besides these")
		}
	}
	c.log.V(1).Info("policies switched", "rules", c.ruleCount, "written", len(plan.write), "deleted", len(plan.stale), "bindings", bindings-1)
}

// readRules reads the whole table of rules.
func (c *Core) readRules() (map[ruleKey]ruleValue, error) {
	table := c.maps[tableRules]
	entries := map[ruleKey]ruleValue{}
	keys, values := make([]ruleKey, batch), make([]ruleValue, batch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := table.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			entries[keys[i]] = values[i]
		}
		switch {
		case errors.Is(err, ebpf.ErrKeyNotExist):
			return entries, nil
		case err != nil:
			return nil, fmt.Errorf("read rules: %w", err)
		}
	}
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

// writeRules adds rules, the ones that make a profile whole last. If one cannot be added, none is.
func (c *Core) writeRules(rules map[ruleKey]ruleValue, need int) error {
	for _, marks := range []bool{false, true} {
		for key, value := range rules {
			if (key.Kind == ruleProfile) != marks {
				continue
			}
			if err := c.maps[tableRules].Put(key, value); err != nil {
				return errors.Join(c.putError(err, need), c.deleteRules(keysOf(rules)))
			}
		}
	}
	return nil
}

func (c *Core) putError(err error, need int) error {
	if errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ENOMEM) {
		return &TableFullError{Table: tableRules, Need: need, Capacity: int(c.maps[tableRules].MaxEntries())}
	}
	return fmt.Errorf("write rule: %w", err)
}

// deleteRules removes rules, the ones that make a profile whole first.
func (c *Core) deleteRules(keys []ruleKey) error {
	for _, marks := range []bool{true, false} {
		for _, key := range keys {
			if (key.Kind == ruleProfile) != marks {
				continue
			}
			if err := c.maps[tableRules].Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
				return fmt.Errorf("delete rule: %w", err)
			}
		}
	}
	return nil
}
