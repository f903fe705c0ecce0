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
#include "core/judge_words.h"
#include "core/sockets.h"

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

	socket_words(k, q.words);
	return words_ask(slot, &q);
}

static __always_inline void socket_kind(struct kind_of_socket *k, struct socket *sock)
{
	struct sock *sk = BPF_CORE_READ(sock, sk);

	k->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	k->type = BPF_CORE_READ(sock, type);
	k->protocol = BPF_CORE_READ(sk, sk_protocol);
}

static __always_inline int socket_check(struct socket *sock, u32 operation, u32 asked)
{
	struct kind_of_socket k;
	u32 slot = judge_begin(1 << DOMAIN_NETWORK);

	if (slot == NO_RULES)
		return 0;
	socket_kind(&k, sock);
	return judge_end(slot, socket_denied(slot, &k, operation, asked), EACCES);
}

/* To where a datagram without a connection goes is worth a look. What a connection carries is not: that was made before. */
static __always_inline int socket_send(struct socket *sock, struct msghdr *message, u32 asked)
{
	struct kind_of_socket k;
	u32 slot = judge_begin(1 << DOMAIN_NETWORK);

	if (slot == NO_RULES)
		return 0;
	socket_kind(&k, sock);
	if (!socket_is_ip(&k) || !BPF_CORE_READ(message, msg_name))
		asked |= ASK_USUAL;
	return judge_end(slot, socket_denied(slot, &k, OPERATION_SOCKET_SENDMSG, asked), EACCES);
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
int BPF_PROG(sendmsg_enforce, struct socket *sock, struct msghdr *message, int bytes, int ret)
{
	return ret ? ret : socket_send(sock, message, ASK_ENFORCE);
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
int BPF_KPROBE(sendmsg_observe, struct socket *sock, struct msghdr *message)
{
	socket_send(sock, message, 0);
	return 0;
}
