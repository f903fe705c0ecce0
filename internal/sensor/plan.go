// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// plan is what turns the rules that the kernel holds into those of the next generation.
type plan struct {
	// leftovers are of profiles that neither generation can use: half written, or not cleaned up. Deleted first.
	leftovers []ruleKey
	// write is added before the switch.
	write map[ruleKey]ruleValue
	// stale is what only the old generation used. Deleted after the switch.
	stale []ruleKey
	// need is how many rules the table holds while both generations are there.
	need int
}

// planSwitch is pure. held is the table of rules, inForce the bindings that may be in use.
func planSwitch(held map[ruleKey]ruleValue, inForce map[compile.CgroupID]binding, next tables) (plan, error) {
	used := map[compile.ProfileID]bool{}
	for cgroup, b := range inForce {
		if cgroup != 0 {
			used[compile.ProfileID(b.Profile)] = true
		}
	}
	p := plan{write: map[ruleKey]ruleValue{}}
	for key, value := range held {
		id := compile.ProfileID(key.Profile)
		wanted, isWanted := next.profiles[id]
		_, isWhole := held[profileKey(id)]
		switch {
		case isWanted && isWhole:
			if wanted[key] != value {
				return plan{}, fmt.Errorf("profile %#x has other rules than the one of the same id that the kernel holds: an id must name the content", uint64(id))
			}
			p.need++
		case used[id]:
			p.stale = append(p.stale, key)
			p.need++
		default:
			p.leftovers = append(p.leftovers, key)
		}
	}
	for id, rules := range next.profiles {
		if _, isWhole := held[profileKey(id)]; isWhole {
			continue
		}
		for key, value := range rules {
			p.write[key] = value
			p.need++
		}
	}
	return p, nil
}

func keysOf(rules map[ruleKey]ruleValue) []ruleKey {
	keys := make([]ruleKey, 0, len(rules))
	for key := range rules {
		keys = append(keys, key)
	}
	return keys
}
