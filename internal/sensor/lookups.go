// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// HookLookup is where DNS queries are looked into. A core whose Stats have it among what is missing holds rules on
// domain names and never meets a name.
const HookLookup = "cgroup_skb/egress"

// loadLookups loads the program that looks into DNS queries. A kernel without CONFIG_CGROUP_BPF knows no such program,
// and a node without the unified hierarchy has no place for it; all else is enforced there all the same.
func (c *Core) loadLookups(object *ebpf.CollectionSpec, settings map[string]any, cache *btf.Cache) {
	if c.cgroups == "" {
		c.missing = append(c.missing, HookLookup)
		return
	}
	settings = maps.Clone(settings)
	// Nothing is kept with a task here: the current one may be any other.
	settings["task_storage"] = false
	if err := c.loadObject(object, settings, cache); err != nil {
		c.log.Error(err, "DNS queries are not looked into")
		c.missing = append(c.missing, HookLookup)
	}
}

// attachLookups attaches to the root of the hierarchy, beside whatever else is there. It takes CAP_NET_ADMIN.
func (c *Core) attachLookups(program *ebpf.Program) (link.Link, error) {
	attached, err := link.AttachCgroup(link.CgroupOptions{Path: c.cgroups, Attach: ebpf.AttachCGroupInetEgress, Program: program})
	if err != nil {
		c.log.Error(err, "DNS queries are not looked into", "cgroups", c.cgroups)
	}
	return attached, err
}

// serverBytes are struct server of bpf/include/core/taskslots.h.
const serverBytes = 24

// lookupName says what is looked up and where: of a resource that is a struct server, and behind it the name as it was
// in the query, filled up with zeroes.
func lookupName(resource []byte) string {
	if len(resource) < serverBytes {
		return "domain="
	}
	server, name := resource[:serverBytes], resource[serverBytes:]
	address, _ := netip.AddrFromSlice(server[8:24])
	if server[0] == 4 {
		address, _ = netip.AddrFromSlice(server[8:12])
	}
	port := binary.LittleEndian.Uint16(server[2:])
	protocol := "UDP"
	if server[1] == unix.IPPROTO_TCP {
		protocol = "TCP"
	}
	return fmt.Sprintf("domain=%s protocol=%s server=%s", domainName(name), protocol, netip.AddrPortFrom(address, port))
}

// domainName reads labels, each behind its length, up to the empty one or to what is no label. Bytes that a name is not
// written with are \DDD, as in zone files.
func domainName(wire []byte) string {
	var text strings.Builder
	for len(wire) > 0 && wire[0] > 0 && wire[0] <= 63 && int(wire[0]) < len(wire) {
		label := wire[1 : 1+wire[0]]
		wire = wire[1+wire[0]:]
		if text.Len() > 0 {
			text.WriteByte('.')
		}
		for _, b := range label {
			if b <= ' ' || b == '.' || b == '\\' || b > '~' {
				fmt.Fprintf(&text, `\%03d`, b)
				continue
			}
			text.WriteByte(b)
		}
	}
	return text.String()
}
