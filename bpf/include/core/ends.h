/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Between whom a socket is: in events of IP sockets, where others have a path. */
#ifndef CORE_ENDS_H
#define CORE_ENDS_H

#include "scratch.h"
#include "sockets.h"

enum ends_known {
	ENDS_LOCAL = 1 << 0,
	ENDS_REMOTE = 1 << 1,
};

/* What a caller gives as an address (struct sockaddr_in and sockaddr_in6 of the kernel's interface). */
struct given {
	u16 family;
	u16 port;
	u8 v4[4];
	u8 v6[16];
};

static __always_inline void end_v4(u8 to[16], const void *from)
{
	__builtin_memset(to, 0, 10);
	__builtin_memset(&to[10], 0xff, 2);
	bpf_probe_read_kernel(&to[12], 4, from);
}

static __always_inline void ends_of_socket(struct ends *e, struct sock *sk, u32 family)
{
	e->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	e->remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	e->known = (e->local_port ? ENDS_LOCAL : 0) | (e->remote_port ? ENDS_REMOTE : 0);
	if (family == AF_INET) {
		end_v4(e->local, __builtin_preserve_access_index(&sk->__sk_common.skc_rcv_saddr));
		end_v4(e->remote, __builtin_preserve_access_index(&sk->__sk_common.skc_daddr));
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_probe_read_kernel(e->local, 16, __builtin_preserve_access_index(&sk->__sk_common.skc_v6_rcv_saddr));
		bpf_probe_read_kernel(e->remote, 16, __builtin_preserve_access_index(&sk->__sk_common.skc_v6_daddr));
	}
}

/* The end that the operation names. */
static __always_inline void ends_given(struct ends *e, const void *address, bool local)
{
	u8 *to = local ? e->local : e->remote;
	struct given g = {};

	bpf_probe_read_kernel(&g, sizeof(g), address);
	if (g.family == AF_INET)
		end_v4(to, address + __builtin_offsetof(struct given, v4));
	else if (g.family == AF_INET6)
		__builtin_memcpy(to, g.v6, sizeof(g.v6));
	else
		return;
	if (local)
		e->local_port = __builtin_bswap16(g.port);
	else
		e->remote_port = __builtin_bswap16(g.port);
	e->known |= local ? ENDS_LOCAL : ENDS_REMOTE;
}

/* Puts them where the event's path is taken from. Global, so that the report behind it has the stack for itself. */
__noinline int ends_put(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct ends *e;
	u32 family;

	if (!s || !s->socket)
		return 0;
	family = s->flags & 0xffff;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	e = &s->ends;
	__builtin_memset(e, 0, sizeof(*e));
	ends_of_socket(e, (void *)s->socket, family);
	if (s->address)
		ends_given(e, (void *)s->address, s->operation == OPERATION_SOCKET_BIND);
	__builtin_memcpy(&s->path[PATH_BYTES - sizeof(*e)], e, sizeof(*e));
	s->start = PATH_BYTES - sizeof(*e);
	return 0;
}

#endif
