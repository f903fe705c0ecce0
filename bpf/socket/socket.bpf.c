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

/* What is asked: about which kind of socket, which one if it is there, and the address that the operation names. */
struct socket_question {
	struct kind_of_socket kind;
	struct sock *sk;
	void *address;
	u32 operation;
	u32 asked;
};

static __always_inline bool socket_denied(u32 slot, const struct socket_question *s)
{
	const struct kind_of_socket *k = &s->kind;
	struct words_question q = {
		.domain = DOMAIN_NETWORK,
		.operation = s->operation,
		.asked = s->asked,
		.kind = RULE_PROTOCOL,
		.flags = k->family | k->type << 16,
		.mode = k->protocol,
		.socket = s->sk,
		.address = s->address,
	};

	socket_words(k, q.words);
	return words_ask(slot, &q);
}

static __always_inline void socket_read(struct socket_question *s, struct socket *sock)
{
	struct sock *sk = BPF_CORE_READ(sock, sk);

	s->kind.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	s->kind.type = BPF_CORE_READ(sock, type);
	s->kind.protocol = BPF_CORE_READ(sk, sk_protocol);
	s->sk = sk;
}

static __always_inline int socket_check(struct socket *sock, void *address, u32 operation, u32 asked)
{
	struct socket_question q = { .operation = operation, .asked = asked, .address = address };
	u32 slot = judge_begin(1 << DOMAIN_NETWORK);

	if (slot == NO_RULES)
		return 0;
	socket_read(&q, sock);
	return judge_end(slot, socket_denied(slot, &q), EACCES);
}

/* To where a datagram without a connection goes is worth a look. What a connection carries is not: that was made before. */
static __always_inline int socket_send(struct socket *sock, struct msghdr *message, u32 asked)
{
	struct socket_question q = { .operation = OPERATION_SOCKET_SENDMSG, .asked = asked };
	u32 slot = judge_begin(1 << DOMAIN_NETWORK);

	if (slot == NO_RULES)
		return 0;
	socket_read(&q, sock);
	q.address = BPF_CORE_READ(message, msg_name);
	if (!q.address || !socket_is_ip(&q.kind))
		q.asked |= ASK_USUAL;
	return judge_end(slot, socket_denied(slot, &q), EACCES);
}

/* The kernel's own sockets are its own affair. */
static __always_inline int socket_create(int family, int type, int protocol, int kern, u32 asked)
{
	struct socket_question q = {
		.kind = { .family = family, .type = type, .protocol = protocol },
		.operation = OPERATION_SOCKET_CREATE,
		.asked = asked,
	};
	u32 slot;

	if (kern)
		return 0;
	slot = judge_begin(1 << DOMAIN_NETWORK);
	if (slot == NO_RULES)
		return 0;
	return judge_end(slot, socket_denied(slot, &q), EACCES);
}

SEC("lsm/socket_create")
int BPF_PROG(create_enforce, int family, int type, int protocol, int kern, int ret)
{
	return ret ? ret : socket_create(family, type, protocol, kern, ASK_ENFORCE);
}

SEC("lsm/socket_bind")
int BPF_PROG(bind_enforce, struct socket *sock, void *address, int bytes, int ret)
{
	return ret ? ret : socket_check(sock, address, OPERATION_SOCKET_BIND, ASK_ENFORCE);
}

SEC("lsm/socket_listen")
int BPF_PROG(listen_enforce, struct socket *sock, int backlog, int ret)
{
	return ret ? ret : socket_check(sock, 0, OPERATION_SOCKET_LISTEN, ASK_ENFORCE);
}

SEC("lsm/socket_connect")
int BPF_PROG(connect_enforce, struct socket *sock, void *address, int bytes, int ret)
{
	return ret ? ret : socket_check(sock, address, OPERATION_SOCKET_CONNECT, ASK_ENFORCE);
}

SEC("lsm/socket_accept")
int BPF_PROG(accept_enforce, struct socket *sock, struct socket *made, int ret)
{
	return ret ? ret : socket_check(sock, 0, OPERATION_SOCKET_ACCEPT, ASK_ENFORCE);
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
int BPF_KPROBE(bind_observe, struct socket *sock, void *address)
{
	socket_check(sock, address, OPERATION_SOCKET_BIND, 0);
	return 0;
}

SEC("kprobe/security_socket_listen")
int BPF_KPROBE(listen_observe, struct socket *sock)
{
	socket_check(sock, 0, OPERATION_SOCKET_LISTEN, 0);
	return 0;
}

SEC("kprobe/security_socket_connect")
int BPF_KPROBE(connect_observe, struct socket *sock, void *address)
{
	socket_check(sock, address, OPERATION_SOCKET_CONNECT, 0);
	return 0;
}

SEC("kprobe/security_socket_accept")
int BPF_KPROBE(accept_observe, struct socket *sock)
{
	socket_check(sock, 0, OPERATION_SOCKET_ACCEPT, 0);
	return 0;
}

SEC("kprobe/security_socket_sendmsg")
int BPF_KPROBE(sendmsg_observe, struct socket *sock, struct msghdr *message)
{
	socket_send(sock, message, 0);
	return 0;
}
