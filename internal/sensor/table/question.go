// SPDX-License-Identifier: Apache-2.0

package table

import "github.com/kubearmor/kubearmor-operator/internal/policy/compile"

// Question is what a hook asks about one path, socket or capability: what the core has gathered when it begins to match.
type Question struct {
	Domain compile.Domain
	// Path of the object, of processes and files.
	Path string
	// Unresolved: the kernel could not tell the path. Object: there is none.
	Unresolved, Object bool
	// Source is the path of the task's executable, empty when it could not be told.
	Source string
	// Met are the conditions that the operation meets, but for the arguments.
	Met compile.Conditions
	// Arguments after the program's name.
	Arguments []string
	// UnknownArguments: they will be known later, so none of them is permitted.
	UnknownArguments bool
	// BlocksOnly: only rules that block count, because the object is to get another name. Inside, with it: the object is
	// a directory, and only rules that name something in it count.
	BlocksOnly, Inside bool
	// Family, Type and Protocol of the socket.
	Family, Type, Protocol int
	// Capability is the kernel's number.
	Capability uint8
}

// Answer to a Question.
type Answer struct {
	// Action is Allow, Audit or Block.
	Action compile.Action
	// Rule that decided, RulePosture, RuleUnresolved, or 0.
	Rule compile.RuleID
}

// SocketCodes are the words that a socket is of, but for all: at most two of the first rank, and at most one type.
func SocketCodes(family, kind, protocol int) (protocols, types []Protocol) {
	add := func(list *[]Protocol, is bool, p Protocol) {
		if is {
			*list = append(*list, p)
		}
	}
	ip := family == 2 || family == 10
	if protocol == 0 {
		protocol = map[int]int{1: 6, 2: 17, 5: 132, 6: 33}[kind]
	}
	add(&protocols, kind == 1 && (family == 43 || ip && (protocol == 6 || protocol == 262 || protocol == 256)), ProtocolTCP)
	add(&protocols, ip && kind == 2 && (protocol == 17 || protocol == 136), ProtocolUDP)
	add(&protocols, ip && protocol == 1, ProtocolICMP)
	add(&protocols, ip && protocol == 58, ProtocolICMPv6)
	add(&protocols, ip && protocol == 132, ProtocolSCTP)
	add(&protocols, ip && protocol == 33, ProtocolDCCP)
	add(&protocols, ip && kind == 3, ProtocolRaw)
	add(&protocols, family == 17, ProtocolPacket)
	add(&types, kind == 1, ProtocolStream)
	add(&types, kind == 2, ProtocolDgram)
	add(&types, kind == 4, ProtocolRDM)
	add(&types, kind == 5, ProtocolSeqpacket)
	return protocols, types
}
