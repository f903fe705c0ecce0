// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Detach takes the core off the node and closes it: no program, link, map or pin of it is left.
func (c *Core) Detach() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.close()
	if c.pins == nil {
		return err
	}
	return errors.Join(err, removeRoot(c.pins.root))
}

// DetachAll is Detach for what other processes pinned below bpffs. A node without that is no error. What a process that
// still runs has open stays until it ends.
func DetachAll(bpffs string) error {
	return removeRoot(filepath.Join(bpffs, pinFolder))
}

func removeRoot(root string) error {
	unlock, err := (&pins{root: root}).lock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("detach core: %w", err)
	}
	defer unlock()
	if err := removeCores(root, ""); err != nil {
		return fmt.Errorf("detach core: %w", err)
	}
	if err := os.Remove(root); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("detach core: %w", err)
	}
	return nil
}
