/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * DNS queries in packets that leave a socket, as the IP layer has them: before they are cut into fragments, and before
 * segments are made of what the socket sends in one go. Nothing is remembered from one packet to the next. So a fragment
 * is one that a raw socket was given, and cannot be read, wherever it goes; and nor can what is behind more extension
 * headers than are looked through.
 */
#ifndef CORE_QUERY_H
#define CORE_QUERY_H

#include "names.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

#define PORT_DNS 53

#define IPV4_BYTES 20
/* Where it is, or that more follow. */
#define IPV4_FRAGMENT 0x3fff
#define IPV6_FRAGMENTED 0xfff9
#define IPV6_BYTES 40
/* Extension headers that are looked through. */
#define IPV6_HEADERS 8
#define UDP_BYTES 8

#define DNS_HEADER_BYTES 12
/* Behind the name: its type and its class. */
#define DNS_TYPE_BYTES 4
#define DNS_RESPONSE 0x80
/* Of one message; servers answer one. */
#define DNS_QUESTIONS 4
/* Of one segment; clients send two. */
#define DNS_MESSAGES 8

enum ipv6_header {
	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_AUTHENTICATION = 51,
	IPV6_DESTINATION = 60,
};

/* What a packet is made of. */
struct packet {
	struct server server;
	u32 transport;
	/* It may be for a DNS server, and what it carries cannot be told. */
	bool unread;
};

static __always_inline u32 big_endian(const u8 bytes[2])
{
	return bytes[0] << 8 | bytes[1];
}

static __always_inline bool packet_ipv4(struct __sk_buff *skb, struct packet *p)
{
	u8 header[IPV4_BYTES];

	if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)))
		return false;
	p->unread = big_endian(&header[6]) & IPV4_FRAGMENT;
	p->server.version = 4;
	p->server.protocol = header[9];
	__builtin_memcpy(p->server.address, &header[16], 4);
	p->transport = (header[0] & 0xf) * 4;
	return true;
}

static __always_inline bool packet_is_extension(u32 kind)
{
	return kind == IPV6_HOP_BY_HOP || kind == IPV6_ROUTING || kind == IPV6_FRAGMENT || kind == IPV6_AUTHENTICATION ||
	       kind == IPV6_DESTINATION;
}

/* Where a header is and of what kind, in one word: a function that is verified once for all takes no more (5.10). */
#define HEADER_KIND 0xff
#define HEADER_AT_SHIFT 8
#define HEADER_AT 0xffff
#define HEADER_UNREAD (1U << 31)

/* The header behind an extension; here itself where there is none, or what follows is not what it says. */
__noinline u32 packet_extension(struct __sk_buff *skb, u32 here)
{
	u32 kind = here & HEADER_KIND, at = here >> HEADER_AT_SHIFT & HEADER_AT, bytes, unread = 0;
	u8 header[4];

	if (here & HEADER_UNREAD || !packet_is_extension(kind))
		return here;
	if (bpf_skb_load_bytes(skb, at, header, sizeof(header)))
		return here;
	if (kind == IPV6_FRAGMENT) {
		if (big_endian(&header[2]) & IPV6_FRAGMENTED)
			unread = HEADER_UNREAD;
		bytes = 8;
	} else if (kind == IPV6_AUTHENTICATION) {
		bytes = (header[1] + 2) * 4;
	} else {
		bytes = (header[1] + 1) * 8;
	}
	return header[0] | (at + bytes) << HEADER_AT_SHIFT | unread;
}

static __always_inline bool packet_ipv6(struct __sk_buff *skb, struct packet *p)
{
	u8 header[IPV6_BYTES];
	u32 here, next;

	if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)))
		return false;
	p->server.version = 6;
	__builtin_memcpy(p->server.address, &header[24], 16);
	here = header[6] | IPV6_BYTES << HEADER_AT_SHIFT;
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i < IPV6_HEADERS; i++) {
		next = packet_extension(skb, here);
		if (next == here)
			break;
		here = next;
	}
	p->server.protocol = here & HEADER_KIND;
	p->transport = here >> HEADER_AT_SHIFT & HEADER_AT;
	p->unread = here & HEADER_UNREAD;
	if (packet_is_extension(p->server.protocol)) {
		p->unread = true;
		p->server.protocol = IPPROTO_UDP;
	}
	return true;
}

/* Whether the socket is connected to a DNS server: another address may have taken its place in the packet (DNAT). */
static __always_inline bool packet_connected(struct __sk_buff *skb)
{
	struct bpf_sock *sock = skb->sk;

	return sock && sock->dst_port == __builtin_bswap16(PORT_DNS);
}

/* Whether the packet is for a DNS server, and carries anything; then at says where that is, unless it is unread. */
static __always_inline bool packet_to_server(struct __sk_buff *skb, struct packet *p, u32 *at)
{
	u32 protocol = skb->protocol;
	u8 ports[4], offset;

	if (protocol == __builtin_bswap16(ETH_P_IP)) {
		if (!packet_ipv4(skb, p))
			return false;
	} else if (protocol != __builtin_bswap16(ETH_P_IPV6) || !packet_ipv6(skb, p)) {
		return false;
	}
	if (p->server.protocol != IPPROTO_UDP && p->server.protocol != IPPROTO_TCP)
		return false;
	*at = skb->len;
	if (p->unread)
		return true;
	if (bpf_skb_load_bytes(skb, p->transport, ports, sizeof(ports)))
		return false;
	p->server.port = big_endian(&ports[2]);
	if (p->server.port != PORT_DNS && !packet_connected(skb))
		return false;
	*at = p->transport + UDP_BYTES;
	if (p->server.protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, p->transport + 12, &offset, sizeof(offset)))
			return false;
		*at = p->transport + (offset >> 4) * 4;
	}
	return *at < skb->len;
}

/* How many questions the message at query_at has, and moves on to the first one; -1 if it is none. An answer has none. */
__noinline int query_begin(struct __sk_buff *skb, u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u8 header[DNS_HEADER_BYTES];
	u32 questions;

	if (!s || bpf_skb_load_bytes(skb, s->query_at, header, sizeof(header)))
		return -1;
	if (header[2] & DNS_RESPONSE)
		return 0;
	questions = big_endian(&header[4]);
	if (questions == 0 || questions > DNS_QUESTIONS)
		return -1;
	s->query_at += DNS_HEADER_BYTES;
	return questions;
}

/*
 * Reads the question at query_at into the slot, behind the server, and moves on to the next; false if it cannot be read.
 * What can be read of it is there also then.
 */
__noinline int query_question(struct __sk_buff *skb, u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 at, end, left, bytes;

	if (!s)
		return false;
	path_begin(s);
	s->labels = 0;
	s->start = DNS_AT - sizeof(struct server);
	*(struct server *)&s->path[DNS_AT - sizeof(struct server)] = s->server;
#pragma unroll
	for (u32 i = 0; i < DNS_ROOM / 8; i++)
		*(u64 *)&s->path[DNS_AT + i * 8] = 0;
	at = s->query_at;
	end = s->query_end;
	if (at >= end)
		return false;
	left = end - at;
	bytes = (left > DNS_NAME_BYTES ? DNS_NAME_BYTES : left) - 1;
	/* 5.10 knows the bounds of what was compared, not of its copies, and not that something is not 0. */
	asm volatile("" : "+r"(bytes));
	if (bytes >= DNS_NAME_BYTES)
		return false;
	if (bpf_skb_load_bytes(skb, at, &s->path[DNS_AT], bytes + 1))
		return false;
	bytes = name_labels(slot);
	if (!bytes || bytes + DNS_TYPE_BYTES > left)
		return false;
	s->query_at = at + bytes + DNS_TYPE_BYTES;
	return true;
}

#endif
