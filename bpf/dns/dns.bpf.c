//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Which domain names may be looked up.
 *
 * Hook:   cgroup_skb/egress at the root of the cgroup v2 hierarchy: every IP packet that a socket sends; those to port 53
 *         are looked into
 * Maps:   shared with the other programs
 * Kernel: 5.10 and later with CONFIG_CGROUP_BPF
 *
 * What cannot be read is unresolved, as a path is: a question that is compressed or not whole, more of them than
 * DNS_QUESTIONS, a TCP segment that is not whole messages, a fragment. The kernel keeps a segment that was refused, and sends it
 * again with what the socket is given next; so it does no harm that a client writes a message in pieces.
 */
#include "core/base.h"
#include "core/judge.h"
#include "core/query.h"

#define DROP 0
#define PASS 1

/* Reports the verdict in the slot; not 0 if the packet is to be dropped. */
static __always_inline int dns_end(struct scratch *s, u32 slot)
{
	if (!judge_reports(s))
		return false;
	judge_report(s, slot);
	return answer_denies(s->action, s->asked);
}

__noinline int dns_unresolved(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return false;
	count(PATH_NO_QUESTION);
	s->status = PATH_NO_QUESTION;
	s->decided = 0;
	s->rule = RULE_UNRESOLVED;
	s->action = answer_unresolved(&s->binding, DOMAIN_DNS, s->asked);
	return dns_end(s, slot);
}

enum { DNS_ON = 0, DNS_END = 1, DNS_DENIED = 2, DNS_UNREAD = 3 };

/* What cannot be judged: the event will have what can be read behind a message's header. */
static __always_inline int dns_unread(struct __sk_buff *skb, struct scratch *s, u32 slot)
{
	s->query_at += DNS_HEADER_BYTES;
	query_question(skb, slot);
	return DNS_UNREAD;
}

/* Judges the next question. */
__noinline int dns_question(struct __sk_buff *skb, u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return DNS_END;
	if (!query_question(skb, slot))
		return DNS_UNREAD;
	answer_name(s, slot);
	return dns_end(s, slot) ? DNS_DENIED : DNS_ON;
}

/* Judges all questions of a message. */
__noinline int dns_message(struct __sk_buff *skb, u32 slot)
{
	struct scratch *s = scratch_at(slot);
	int questions = query_begin(skb, slot), end;

	if (!s)
		return DNS_END;
	if (questions < 0)
		return dns_unread(skb, s, slot);
	CALLS_IN_ONE_PLACE
	for (int i = 0; i < DNS_QUESTIONS; i++) {
		if (i >= questions)
			break;
		end = dns_question(skb, slot);
		if (end != DNS_ON)
			return end;
	}
	return DNS_ON;
}

/* Judges one message of a TCP segment: it must be whole, so that the next segment begins with one. */
__noinline int dns_prefixed(struct __sk_buff *skb, u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 at, end, next;
	u8 length[2];
	int how;

	if (!s)
		return DNS_END;
	at = s->query_at;
	end = s->segment_end;
	if (at == end)
		return DNS_END;
	if (bpf_skb_load_bytes(skb, at, length, sizeof(length)))
		return dns_unread(skb, s, slot);
	next = at + sizeof(length) + big_endian(length);
	s->query_at = at + sizeof(length);
	s->query_end = next < end ? next : end;
	if (next > end)
		return dns_unread(skb, s, slot);
	how = dns_message(skb, slot);
	s->query_at = next;
	return how;
}

static __always_inline int dns_segment(struct __sk_buff *skb, u32 slot)
{
	int end;

	for (u32 i = 0; i <= DNS_MESSAGES; i++) {
		end = dns_prefixed(skb, slot);
		if (end != DNS_ON)
			return end;
	}
	return DNS_UNREAD;
}

static __always_inline int dns_payload(struct __sk_buff *skb, struct scratch *s, u32 slot, bool unread)
{
	if (unread)
		return dns_unread(skb, s, slot);
	if (s->server.protocol == IPPROTO_TCP)
		return dns_segment(skb, slot);
	/* Several datagrams in one: only the first would be looked into. */
	if (skb->gso_size)
		return dns_unread(skb, s, slot);
	return dns_message(skb, slot);
}

/* Whether the current task is one of those that the socket belongs to: the kernel may send for others than itself. */
static __always_inline bool dns_by_current(struct __sk_buff *skb)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id) == bpf_skb_cgroup_id(skb);
}

static __always_inline struct binding *dns_binding(struct __sk_buff *skb, u64 *cgroup)
{
	struct binding *header, *binding;
	u64 id;
	void *table = bindings_in_force(&header);

	if (!table)
		return 0;
	for (u32 i = 0; i < CGROUP_LEVELS; i++) {
		if (i >= header->level_count)
			return 0;
		id = bpf_skb_ancestor_cgroup_id(skb, header->levels[i]);
		if (!id)
			continue;
		binding = bpf_map_lookup_elem(table, &id);
		if (binding) {
			*cgroup = id;
			return binding;
		}
	}
	return 0;
}

/* No room for a name: global, because an event is a quarter of the stack. */
__noinline int dns_busy(struct __sk_buff *skb, u32 asked)
{
	u64 cgroup = 0;
	struct binding *b = dns_binding(skb, &cgroup);

	return b && judge_without(b, cgroup, DOMAIN_DNS, OPERATION_LOOKUP, asked);
}

static __always_inline void dns_source(struct scratch *s, u32 slot)
{
	s->source = 0;
	s->met = 0;
	if (!(s->asked & ASK_ELSEWHERE))
		judge_meets(s, slot);
	else if (domain_flags(&s->binding, DOMAIN_DNS) & DOMAIN_SOURCES)
		count(COUNT_SOURCES_UNKNOWN);
}

/* Judges what the packet carries from there on. */
static __always_inline bool dns_denied(struct __sk_buff *skb, u32 slot, const struct packet *p, u32 at, u32 asked)
{
	struct scratch *s = scratch_at(slot);
	int end;

	if (!s)
		return false;
	s->domain = DOMAIN_DNS;
	s->operation = OPERATION_LOOKUP;
	s->asked = asked;
	s->flags = 0;
	s->mode = 0;
	s->object_dentry = 0;
	s->server = p->server;
	dns_source(s, slot);
	s->query_at = at;
	s->query_end = skb->len;
	s->segment_end = skb->len;
	end = dns_payload(skb, s, slot, p->unread);
	/* Here, because calls may be eight deep, and a report needs half of them. */
	return end == DNS_DENIED || (end == DNS_UNREAD && dns_unresolved(slot));
}

static __always_inline int dns_check(struct __sk_buff *skb, u32 asked)
{
	struct packet p = {};
	struct binding *b;
	u64 cgroup = 0;
	bool denied;
	u32 slot, at;

	if (!packet_to_server(skb, &p, &at))
		return PASS;
	b = dns_binding(skb, &cgroup);
	if (!b || !(domain_flags(b, DOMAIN_DNS) & DOMAIN_RULES))
		return PASS;
	if (!dns_by_current(skb))
		asked |= ASK_ELSEWHERE;
	slot = judge_slot(b, cgroup);
	if (slot == NO_SLOT)
		return dns_busy(skb, asked) ? DROP : PASS;
	denied = dns_denied(skb, slot, &p, at, asked);
	judge_end(slot, false, 0);
	return denied ? DROP : PASS;
}

SEC("cgroup_skb/egress")
int lookup_enforce(struct __sk_buff *skb)
{
	return dns_check(skb, ASK_ENFORCE);
}

SEC("cgroup_skb/egress")
int lookup_observe(struct __sk_buff *skb)
{
	return dns_check(skb, 0);
}
