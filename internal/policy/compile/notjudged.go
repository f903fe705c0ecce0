// SPDX-License-Identifier: Apache-2.0

package compile

import "slices"

// notJudged are the operations that a rule should stop or report, and that this node's kernel does not ask about: of a
// file rule all of them, of a process rule those that would give what it blocks another name.
func (b *builder) notJudged(c *candidate) []string {
	watches := c.effective != ActionAllow || b.abilities.Postures && postureOf(b.workload, c.Domain) != ActionNone
	switch {
	case c.Domain == DomainFile && watches:
		return b.abilities.NotJudged
	case c.Domain == DomainProcess && c.effective == ActionBlock:
		return slices.DeleteFunc(slices.Clone(b.abilities.NotJudged), func(operation string) bool {
			return operation != "link" && operation != "rename"
		})
	default:
		return nil
	}
}
