//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Which sockets may be made and used.
 *
 * Hooks:  security_socket_create, bind, listen, connect, accept, sendmsg
 * Maps:   shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobes do not
 */
#include "core/base.h"
#include "core/words.h"

#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_RDM 4
#define SOCK_SEQPACKET 5

#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_DCCP 33
#define IPPROTO_ICMPV6 58
#define IPPROTO_SCTP 132

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

/* The protocol of an IP socket, by its number or by its type's default; or 0. */
static __always_inline u32 socket_protocol(const struct kind_of_socket *k)
{
	if (k->type == SOCK_STREAM && (k->protocol == 0 || k->protocol == IPPROTO_TCP))
		return PROTOCOL_TCP;
	if (k->type == SOCK_DGRAM && (k->protocol == 0 || k->protocol == IPPROTO_UDP))
		return PROTOCOL_UDP;
	if (k->protocol == IPPROTO_ICMP)
		return PROTOCOL_ICMP;
	if (k->protocol == IPPROTO_ICMPV6)
		return PROTOCOL_ICMPV6;
	if (k->protocol == IPPROTO_SCTP)
		return PROTOCOL_SCTP;
	if (k->protocol == IPPROTO_DCCP)
		return PROTOCOL_DCCP;
	return 0;
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

static __always_inline bool socket_denied(u32 slot, const struct kind_of_socket *k, u32 operation, u32 asked)
{
	struct words_question q = {
		.domain = DOMAIN_NETWORK,
		.operation = operation,
		.asked = asked,
		.kind = RULE_PROTOCOL,
		.flags = k->family | k->type << 16,
		.mode = k->protocol,
	};

	if (socket_is_ip(k)) {
		q.words[0] = socket_word(socket_protocol(k));
		q.words[1] = k->type == SOCK_RAW ? socket_word(PROTOCOL_RAW) : 0;
	} else if (k->family == AF_PACKET) {
		q.words[0] = socket_word(PROTOCOL_PACKET);
	}
	q.words[2] = socket_word(socket_type(k->type));
	q.words[3] = socket_word(PROTOCOL_ALL);
	return words_ask(slot, &q);
}

static __always_inline int socket_check(struct socket *sock, u32 operation, u32 asked)
{
	struct kind_of_socket k;
	struct sock *sk;
	u32 slot = judge_begin(1 << DOMAIN_NETWORK);

	if (slot == NO_RULES)
		return 0;
	sk = BPF_CORE_READ(sock, sk);
	k.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	k.type = BPF_CORE_READ(sock, type);
	k.protocol = BPF_CORE_READ(sk, sk_protocol);
	return judge_end(slot, socket_denied(slot, &k, operation, asked), EACCES);
}

/* The kernel's own sockets are its own affair. */
static __always_inline int socket_create(int family, int type, int protocol, int kern, u32 asked)
{
	struct kind_of_socket k = { .family = family, .type = type, .protocol = protocol };
	u32 slot;

	if (kern)
		return 0;
	slot = judge_begin(1 << DOMAIN_NETWORK);
	if (slot == NO_RULES)
		return 0;
	return judge_end(slot, socket_denied(slot, &k, OPERATION_SOCKET_CREATE, asked), EACCES);
}

SEC("lsm/socket_create")
int BPF_PROG(create_enforce, int family, int type, int protocol, int kern, int ret)
{
	return ret ? ret : socket_create(family, type, protocol, kern, ASK_ENFORCE);
}

SEC("lsm/socket_bind")
int BPF_PROG(bind_enforce, struct socket *sock, void *address, int bytes, int ret)
{
	return ret ? ret : socket_check(sock, OPERATION_SOCKET_BIND, ASK_ENFORCE);
}

SEC("lsm/socket_listen")
int BPF_PROG(listen_enforce, struct socket *sock, int backlog, int ret)
{
	return ret ? ret : socket_check(sock, OPERATION_SOCKET_LISTEN, ASK_ENFORCE);
}

SEC("lsm/socket_connect")
int BPF_PROG(connect_enforce, struct socket *sock, void *address, int bytes, int ret)
{
	return ret ? ret : socket_check(sock, OPERATION_SOCKET_CONNECT, ASK_ENFORCE);
}

SEC("lsm/socket_accept")
int BPF_PROG(accept_enforce, struct socket *sock, struct socket *made, int ret)
{
	return ret ? ret : socket_check(sock, OPERATION_SOCKET_ACCEPT, ASK_ENFORCE);
}

SEC("lsm/socket_sendmsg")
int BPF_PROG(sendmsg_enforce, struct socket *sock, void *message, int bytes, int ret)
{
	return ret ? ret : socket_check(sock, OPERATION_SOCKET_SENDMSG, ASK_ENFORCE);
}

SEC("kprobe/security_socket_create")
int BPF_KPROBE(create_observe, int family, int type, int protocol, int kern)
{
	socket_create(family, type, protocol, kern, 0);
	return 0;
}

SEC("kprobe/security_socket_bind")
int BPF_KPROBE(bind_observe, struct socket *sock)
{
	socket_check(sock, OPERATION_SOCKET_BIND, 0);
	return 0;
}

SEC("kprobe/security_socket_listen")
int BPF_KPROBE(listen_observe, struct socket *sock)
{
	socket_check(sock, OPERATION_SOCKET_LISTEN, 0);
	return 0;
}

SEC("kprobe/security_socket_connect")
int BPF_KPROBE(connect_observe, struct socket *sock)
{
	socket_check(sock, OPERATION_SOCKET_CONNECT, 0);
	return 0;
}

SEC("kprobe/security_socket_accept")
int BPF_KPROBE(accept_observe, struct socket *sock)
{
	socket_check(sock, OPERATION_SOCKET_ACCEPT, 0);
	return 0;
}

SEC("kprobe/security_socket_sendmsg")
int BPF_KPROBE(sendmsg_observe, struct socket *sock)
{
	socket_check(sock, OPERATION_SOCKET_SENDMSG, 0);
	return 0;
}
