//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Path assembly and the decisions alone, for tests and benchmarks at native speed: a socket filter is never attached, only
 * run by BPF_PROG_TEST_RUN, which every kernel allows.
 *
 * Maps:   names, rules, automata and slots; the test fills slot 0, and reads the result from it
 * Kernel: 5.10 and later
 */
#include "core/base.h"
#include "core/arguments.h"
#include "core/query.h"
#include "core/sockets.h"
#include "core/words.h"

/* A list of names: the length of each in one byte, then its bytes; a zero ends it. */
struct list {
	u8 bytes[3 * PATH_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct list);
} names SEC(".maps");

/* Prepends the name at this place of the list. */
__noinline int assemble_step(u32 slot, u32 at)
{
	struct scratch *s = scratch_at(slot);
	u32 first = 0;
	struct list *list = bpf_map_lookup_elem(&names, &first);

	if (!s || !list || at >= sizeof(list->bytes) - NAME_BYTES - 1)
		return -1;
	if (!list->bytes[at])
		return -1;
	s->status = path_prepend(s, &list->bytes[at + 1], list->bytes[at]);
	return s->status ? -1 : list->bytes[at] + 1;
}

__noinline int assemble_steps(u32 slot, u32 at)
{
	int step;

	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i < LOOP_STEPS; i++) {
		step = assemble_step(slot, at);
		if (step < 0)
			return -1;
		at += step;
	}
	return at;
}

/* Assembles the path of the listed names, the last one first, in slot 0. */
SEC("socket")
int assemble(struct __sk_buff *skb)
{
	struct scratch *s = scratch_at(0);
	int at = 0;

	if (!s)
		return 0;
	path_begin(s);
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i <= PATH_COMPONENTS / LOOP_STEPS; i++) {
		at = assemble_steps(0, at);
		if (at < 0)
			return 0;
	}
	return 0;
}

/* Answers on the path in slot 0; the binding, the question, the source and the conditions are there too. */
SEC("socket")
int path_answer(struct __sk_buff *skb)
{
	struct scratch *s = scratch_at(0);

	if (s)
		answer_path(s, 0);
	return 0;
}

/* And, where that depends on the arguments, once more with those that s->arguments points to in the test's memory. */
SEC("socket")
int arguments_answer(struct __sk_buff *skb)
{
	struct scratch *s = scratch_at(0);

	if (!s || !arguments_decide(s))
		return 0;
	arguments_keep(s);
	answer_arguments(s, 0);
	return 0;
}

/* The class of the executable whose path is in slot 0. */
SEC("socket")
int source_class(struct __sk_buff *skb)
{
	struct scratch *s = scratch_at(0);

	if (s)
		s->source = decide_source(s, 0);
	return 0;
}

/* Answers on a socket (its family, type and protocol are in s->words) or a capability (s->words[0]). */
SEC("socket")
int words_answer(struct __sk_buff *skb)
{
	struct scratch *s = scratch_at(0);
	struct kind_of_socket k;

	if (!s)
		return 0;
	k.family = s->words[0];
	k.type = s->words[1];
	k.protocol = s->words[2];
	s->words_kind = RULE_CAPABILITY;
	if (s->domain == DOMAIN_NETWORK) {
		s->words_kind = RULE_PROTOCOL;
		socket_words(&k, s->words);
	}
	answer_words(s, 0);
	return 0;
}

/* Answers on the first question of an IP packet. */
SEC("socket")
int query_answer(struct __sk_buff *skb)
{
	struct scratch *s = scratch_at(0);
	struct packet p = {};
	u32 at;

	if (!s)
		return 0;
	if (!packet_to_server(skb, &p, &at))
		return 0;
	s->server = p.server;
	s->query_at = at;
	s->query_end = skb->len;
	if (query_begin(skb, 0) > 0 && query_question(skb, 0))
		answer_name(s, 0);
	else
		s->status = PATH_NO_QUESTION;
	return 0;
}

/* What a run itself costs. */
SEC("socket")
int nothing(struct __sk_buff *skb)
{
	return 0;
}
