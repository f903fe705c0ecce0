// SPDX-License-Identifier: Apache-2.0

package model

import (
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Numbers of the kernel: families, types and IP protocols.
const (
	familyIPv4   = 2
	familyIPv6   = 10
	familyPacket = 17
	familySMC    = 43

	typeStream    = 1
	typeDgram     = 2
	typeRaw       = 3
	typeRDM       = 4
	typeSeqpacket = 5
	typeDCCP      = 6

	protocolICMP    = 1
	protocolTCP     = 6
	protocolUDP     = 17
	protocolDCCP    = 33
	protocolICMPv6  = 58
	protocolSCTP    = 132
	protocolUDPLite = 136
	protocolSMC     = 256
	protocolMPTCP   = 262
)

// socket that is created, bound, listened on, connected, accepted or sent on.
type socket struct {
	family, kind, protocol int
}

func (q question) socket() socket { return socket{q.Family, q.Type, q.Protocol} }

func (s socket) isIP() bool { return s.family == familyIPv4 || s.family == familyIPv6 }

// speaks is the protocol of an IP socket: the one that it names, or what the kernel takes for its type where it names none.
func (s socket) speaks() int {
	usual := map[int]int{typeStream: protocolTCP, typeDgram: protocolUDP, typeSeqpacket: protocolSCTP, typeDCCP: protocolDCCP}
	if s.protocol == 0 {
		return usual[s.kind]
	}
	return s.protocol
}

// isTCP: multipath TCP and SMC are TCP too. They begin as its connections, and stay that with a peer that knows nothing
// else. SMC has a family of its own besides, whose protocols are numbers of another kind.
func (s socket) isTCP() bool {
	if s.kind != typeStream {
		return false
	}
	return s.family == familySMC || s.isIP() && slices.Contains([]int{protocolTCP, protocolMPTCP, protocolSMC}, s.speaks())
}

// isUDP: so is UDP-Lite, which differs in what of a datagram its checksum covers.
func (s socket) isUDP() bool {
	return s.isIP() && s.kind == typeDgram && slices.Contains([]int{protocolUDP, protocolUDPLite}, s.speaks())
}

// has says whether the socket is one of what a word of matchProtocols means. A word for a protocol or for raw sockets
// means those of IP only: tcp never means a unix socket. A word for a type means that type of any family.
func (s socket) has(word string) bool {
	switch strings.ToLower(word) {
	case "tcp":
		return s.isTCP()
	case "udp":
		return s.isUDP()
	case "icmp":
		return s.isIP() && s.speaks() == protocolICMP
	case "icmpv6":
		return s.isIP() && s.speaks() == protocolICMPv6
	case "sctp":
		return s.isIP() && s.speaks() == protocolSCTP
	case "dccp":
		return s.isIP() && s.speaks() == protocolDCCP
	case "raw":
		return s.isIP() && s.kind == typeRaw
	case "packet":
		return s.family == familyPacket
	case "stream":
		return s.kind == typeStream
	case "dgram":
		return s.kind == typeDgram
	case "rdm":
		return s.kind == typeRDM
	case "seqpacket":
		return s.kind == typeSeqpacket
	case "all":
		return true
	default:
		return false
	}
}

// rankOfSocket: a protocol is more specific than a type, and a type than all.
func rankOfSocket(r *policy.Rule, s socket) (rank, bool) {
	word := strings.ToLower(r.Protocol)
	switch {
	case word == "all":
		return rank{level: choose(r, levelAll, levelAllFromSource)}, true
	case slices.Contains([]string{"stream", "dgram", "rdm", "seqpacket"}, word):
		return rank{level: choose(r, levelType, levelTypeFromSource)}, s.has(word)
	default:
		return rank{level: choose(r, levelProtocol, levelProtocolFromSource)}, s.has(word)
	}
}

// isRaw is 1 for a rule on raw sockets.
func isRaw(r *policy.Rule) int {
	if strings.EqualFold(r.Protocol, "raw") {
		return 1
	}
	return 0
}

// SocketOf gives the most usual family, type and protocol of what a word of matchProtocols means: an operation to judge.
func SocketOf(word string) (family, kind, protocol int, known bool) {
	usual := map[string]socket{
		"tcp":       {familyIPv4, typeStream, protocolTCP},
		"udp":       {familyIPv4, typeDgram, protocolUDP},
		"icmp":      {familyIPv4, typeRaw, protocolICMP},
		"icmpv6":    {familyIPv6, typeRaw, protocolICMPv6},
		"sctp":      {familyIPv4, typeStream, protocolSCTP},
		"dccp":      {familyIPv4, typeDCCP, protocolDCCP},
		"raw":       {familyIPv4, typeRaw, protocolRaw},
		"packet":    {familyPacket, typeRaw, 0},
		"stream":    {familyUnix, typeStream, 0},
		"dgram":     {familyUnix, typeDgram, 0},
		"rdm":       {familyTIPC, typeRDM, 0},
		"seqpacket": {familyUnix, typeSeqpacket, 0},
	}
	s, known := usual[strings.ToLower(word)]
	return s.family, s.kind, s.protocol, known
}

// Numbers that only SocketOf needs.
const (
	familyUnix  = 1
	familyTIPC  = 30
	protocolRaw = 255
)
