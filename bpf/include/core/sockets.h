/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Which of a policy's words a socket is of. */
#ifndef CORE_SOCKETS_H
#define CORE_SOCKETS_H

#include "scratch.h"

#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define AF_SMC 43

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_RDM 4
#define SOCK_SEQPACKET 5
#define SOCK_DCCP 6

#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_DCCP 33
#define IPPROTO_ICMPV6 58
#define IPPROTO_SCTP 132
#define IPPROTO_UDPLITE 136
#define IPPROTO_SMC 256
#define IPPROTO_MPTCP 262

/* Codes of a policy's words, as in internal/sensor/table. */
enum protocol {
	PROTOCOL_TCP = 1,
	PROTOCOL_UDP = 2,
	PROTOCOL_ICMP = 3,
	PROTOCOL_ICMPV6 = 4,
	PROTOCOL_SCTP = 5,
	PROTOCOL_DCCP = 6,
	PROTOCOL_RAW = 7,
	PROTOCOL_PACKET = 8,
	PROTOCOL_STREAM = 9,
	PROTOCOL_DGRAM = 10,
	PROTOCOL_RDM = 11,
	PROTOCOL_SEQPACKET = 12,
	PROTOCOL_ALL = 13,
};

struct kind_of_socket {
	u32 family;
	u32 type;
	u32 protocol;
};

static __always_inline bool socket_is_ip(const struct kind_of_socket *k)
{
	return k->family == AF_INET || k->family == AF_INET6;
}

/* What the kernel takes for an IP socket of the type that names no protocol; 0 where there is no such one. */
static __always_inline u32 socket_default(u32 type)
{
	if (type == SOCK_STREAM)
		return IPPROTO_TCP;
	if (type == SOCK_DGRAM)
		return IPPROTO_UDP;
	if (type == SOCK_SEQPACKET)
		return IPPROTO_SCTP;
	if (type == SOCK_DCCP)
		return IPPROTO_DCCP;
	return 0;
}

/*
 * The protocol of an IP socket; or 0. Multipath TCP and SMC are TCP too: they have numbers of their own for socket()
 * alone, begin as connections of TCP, and stay that with a peer that knows nothing else. The sockets of TCP that the
 * kernel makes below are not asked about (kern); the one above is, for every operation.
 */
static __always_inline u32 socket_protocol(const struct kind_of_socket *k)
{
	u32 protocol = k->protocol ? k->protocol : socket_default(k->type);

	if (k->type == SOCK_STREAM && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP || protocol == IPPROTO_SMC))
		return PROTOCOL_TCP;
	if (k->type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE))
		return PROTOCOL_UDP;
	if (protocol == IPPROTO_ICMP)
		return PROTOCOL_ICMP;
	if (protocol == IPPROTO_ICMPV6)
		return PROTOCOL_ICMPV6;
	if (protocol == IPPROTO_SCTP)
		return PROTOCOL_SCTP;
	if (protocol == IPPROTO_DCCP)
		return PROTOCOL_DCCP;
	return 0;
}

/* SMC's own family, whose protocols are numbers of another kind. */
static __always_inline bool socket_is_smc(const struct kind_of_socket *k)
{
	return k->family == AF_SMC && k->type == SOCK_STREAM;
}

static __always_inline u32 socket_type(u32 type)
{
	if (type == SOCK_STREAM)
		return PROTOCOL_STREAM;
	if (type == SOCK_DGRAM)
		return PROTOCOL_DGRAM;
	if (type == SOCK_RDM)
		return PROTOCOL_RDM;
	if (type == SOCK_SEQPACKET)
		return PROTOCOL_SEQPACKET;
	return 0;
}

static __always_inline u32 socket_word(u32 code)
{
	return code ? code + 1 : 0;
}

/* Two words of protocols at most, one of types, and all; each is one more than its code. */
static __always_inline void socket_words(const struct kind_of_socket *k, u32 words[4])
{
	words[0] = 0;
	words[1] = 0;
	if (socket_is_ip(k)) {
		words[0] = socket_word(socket_protocol(k));
		words[1] = k->type == SOCK_RAW ? socket_word(PROTOCOL_RAW) : 0;
	} else if (k->family == AF_PACKET) {
		words[0] = socket_word(PROTOCOL_PACKET);
	} else if (socket_is_smc(k)) {
		words[0] = socket_word(PROTOCOL_TCP);
	}
	words[2] = socket_word(socket_type(k->type));
	words[3] = socket_word(PROTOCOL_ALL);
}

#endif
