// SPDX-License-Identifier: Apache-2.0

// Package pool partitions nodes: a pool is every node whose agent is rendered from the same inputs, and gets one DaemonSet.
package pool

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// nameLength of a pool in hexadecimal digits: 40 bits, so that even a thousand pools hardly ever collide.
const nameLength = 10

// Key holds every input that makes one node's DaemonSet differ from another's. Settings that are the same for the whole
// fleet are not in it; the image is, so that a node changes to a new image only once a probe with that image succeeded on it.
type Key struct {
	Arch          string      `json:"arch"`
	Enforcer      v1.Enforcer `json:"enforcer"`
	Runtime       string      `json:"runtime"`
	RuntimeSocket string      `json:"runtimeSocket"`
	Profile       Profile     `json:"profile"`
	Image         string      `json:"image"`
}

// Pool is a key and the nodes that share it, sorted by name.
type Pool struct {
	Key
	Nodes []string
}

// KeyOf a node. It is false while the node has no facts, no verdict or no image: such a node belongs to no pool.
func KeyOf(spec v1.KubeArmorNodeSpec) (Key, bool) {
	if spec.Facts == nil || spec.Verdict == nil || spec.Image == "" {
		return Key{}, false
	}
	return Key{
		Arch:          spec.Facts.Arch,
		Enforcer:      spec.Verdict.Enforcer,
		Runtime:       spec.Facts.Runtime.Name,
		RuntimeSocket: spec.Facts.Runtime.Socket,
		Profile:       profileOfFacts(spec.Facts),
		Image:         spec.Image,
	}, true
}

// Name of the pool: the same key has the same name for ever.
func (k Key) Name() string {
	// A struct of strings always marshals, in the order of its fields.
	b, err := json.Marshal(k)
	if err != nil {
		panic("pool: marshal key: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:nameLength]
}

// Partition groups the nodes that have a pool and are to keep it, sorted by the pool's name.
func Partition(nodes []v1.KubeArmorNode) []Pool {
	byKey := map[Key]*Pool{}
	for i := range nodes {
		n := &nodes[i]
		key, ok := KeyOf(n.Spec)
		if !ok || n.Spec.Pool == "" {
			continue
		}
		p := byKey[key]
		if p == nil {
			p = &Pool{Key: key}
			byKey[key] = p
		}
		p.Nodes = append(p.Nodes, n.Name)
	}
	pools := make([]Pool, 0, len(byKey))
	for _, p := range byKey {
		slices.Sort(p.Nodes)
		pools = append(pools, *p)
	}
	slices.SortFunc(pools, func(a, b Pool) int { return cmp.Compare(a.Name(), b.Name()) })
	return pools
}
