// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// inSELinux names what SELinux' language lacks. Sources: it decides on the labels of objects, which a file has from the
// directory that it was made in or from a relabelling, never from its present name (file_contexts(5));
// security/selinux/hooks.c maps families and types of sockets to classes, and has none for most pairs.
func inSELinux(p policy.Policy) []Unsupported {
	u := &unsupported{backend: SELinux}
	for i := range p.Rules {
		r := &p.Rules[i]
		u.lacking(r, "SELinux")
		if p.Ref.Kind == policy.KindHostPolicy && len(r.Sources) == 0 && r.Domain != policy.DomainDevice {
			u.refuse(r.At, ReasonHost,
				"a host's processes run in the many domains of its distribution's policy; name programs in fromSource")
		}
		if r.OwnerOnly {
			u.refuse(r.At, compile.ReasonOwnerOnly, "SELinux does not compare a process's user with a file's owner")
		}
		if r.Pattern != "" {
			u.refuse(r.At, compile.ReasonPattern, "SELinux decides on labels: a file that is made later has its directory's, whatever its name")
		}
		if r.ExecName != "" {
			u.refuse(r.At, compile.ReasonExecName, "SELinux decides on labels, and no label follows a base name through all directories")
		}
		if protocol := strings.ToLower(r.Protocol); slices.Contains(unclassed(), protocol) {
			u.refuse(r.At, compile.ReasonNetwork, "SELinux has no class of sockets that means %s and nothing else", protocol)
		}
	}
	if p.AppArmor != "" {
		u.refuse("spec.apparmor", compile.ReasonAppArmor, "AppArmor's own language is for AppArmor")
	}
	return u.sorted()
}

// unclassed are the protocols that share a class of sockets with others: raw ICMP is rawip_socket, both versions of ICMP
// are icmp_socket, seqpacket of unix is unix_stream_socket, and most families have one class for all of their types.
func unclassed() []string { return []string{"icmp", "icmpv6", "stream", "dgram", "rdm", "seqpacket"} }
