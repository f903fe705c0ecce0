/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The rules of all profiles, by the hash of what they match, of the profile and of a selector. A rule is in one of two
 * buckets, so that a lookup reads two of them, however many rules there are.
 */
#ifndef CORE_RULES_H
#define CORE_RULES_H

#include "bindings.h"
#include "hash.h"

/* What a rule's key is made of besides the profile and the selector. */
enum rule_kind {
	/* The path's components. */
	RULE_EXACT = 1,
	/* The components of a directory, each with its slash. */
	RULE_DIRECTORY = 2,
	/* The last component. */
	RULE_EXECNAME = 3,
	/* What the automaton accepted with. */
	RULE_PATTERN = 4,
	/* An executable's path, in domain 0; the value is its class within the profile. */
	RULE_SOURCE = 5,
	/* An argument's bytes and a rule's id: that rule permits it. */
	RULE_ARGUMENT = 6,
	RULE_PROTOCOL = 7,
	RULE_CAPABILITY = 8,
	/* A directory that something is in which a Block rule names. */
	RULE_ANCESTOR = 9,
	/* The labels of a domain name, the last one first: of that name, and of all names below it. */
	RULE_NAME = 10,
	RULE_WILDCARD = 11,
	/* A system call's code. With a source it is in that one's place, behind the words of an executable's path or directory. */
	RULE_SYSCALL = 20,
};

enum rule_flags {
	/* Another variant follows. */
	RULE_MORE = 1,
	/* For a directory's direct entries only. */
	RULE_DIRECT = 2,
};

struct rule_entry {
	/* 0 where there is no rule. */
	u64 tag;
	u64 id;
	u8 action;
	u8 conditions;
	u8 flags;
	u8 pad;
	u32 value;
};

struct rule_bucket {
	struct rule_entry entries[BUCKET_ENTRIES];
};

/* Sizes, not types: the compiler leaves the types of an inner map out of BTF. max_entries is set for each set of tables. */
struct rules_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct rule_bucket));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TABLE_SLOTS);
	__type(key, u32);
	__array(values, struct rules_table);
} rules SEC(".maps");

static __always_inline u64 rule_selector(u32 domain, u32 kind, u32 variant, u32 source)
{
	return domain | kind << 8 | variant << 16 | (u64)source << 32;
}

static __always_inline bool rule_read(void *table, u32 at, u64 tag, struct rule_entry *out)
{
	struct rule_bucket *bucket = bpf_map_lookup_elem(table, &at);

	if (!bucket)
		return false;
	for (u32 i = 0; i < BUCKET_ENTRIES; i++) {
		if (bucket->entries[i].tag == tag) {
			*out = bucket->entries[i];
			return true;
		}
	}
	return false;
}

/* Looks for the rule whose key the hash v has read so far; v is used up. words is how many those were. */
static __always_inline bool rule_find(const struct binding *b, u64 v[4], u64 words, u64 selector, struct rule_entry *out)
{
	void *table = bpf_map_lookup_elem(&rules, &b->tables);
	u64 sum[2], buckets = b->buckets;

	if (!table)
		return false;
	hash_word(v, b->profile);
	hash_word(v, selector);
	hash_end(v, words + 2, sum);
	sum[1] |= 1;
	if (rule_read(table, ((u32)sum[0] * buckets) >> 32, sum[1], out))
		return true;
	return rule_read(table, ((sum[0] >> 32) * buckets) >> 32, sum[1], out);
}

#endif
