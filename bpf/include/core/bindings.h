/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Which profile confines the current task. The one slot of the map holds the generation in force: a table from cgroups
 * to profiles. Replacing that table is the switch from one generation to the next, for all workloads at once.
 */
#ifndef CORE_BINDINGS_H
#define CORE_BINDINGS_H

#include "core_fixes.h"
#include "limits.h"
#include "verdict.h"

/* What a profile has in one domain. */
enum domain_flags {
	/* A rule, a posture that denies or audits, or visibility: operations of the domain are looked at at all. */
	DOMAIN_RULES = 1 << 0,
	DOMAIN_BLOCKS = 1 << 1,
	DOMAIN_AUDITS = 1 << 2,
	DOMAIN_EXACT = 1 << 3,
	DOMAIN_EXECNAME = 1 << 4,
	DOMAIN_DIRECTORY = 1 << 5,
	DOMAIN_PATTERNS = 1 << 6,
	/* Rules for the operations of certain executables. */
	DOMAIN_SOURCES = 1 << 7,
};

struct binding {
	u64 generation;
	/* Of the header, a digest of the profiles that the tables hold. */
	u64 profile;
	/*
	 * For each domain of paths (less 1), the depths at which the profile has directories, with whatever source: bit 0
	 * for "/", bit 1 for "/etc/"; bit 63 stands for 63 and deeper.
	 */
	u64 depths[2];
	/* How many labels the profile's wildcards of DNS names have: bit 1 for *.example, bit 63 for 63 and more. */
	u64 names;
	/* The system calls that the profile has rules on, a bit for the last six bits of each code; and the depths of the
	 * directories of executables that such rules are for. */
	u64 calls;
	u64 call_depths;
	/* For each domain of paths (less 1), where its automaton's map of bytes is, or 0, and the row that it starts with. */
	u32 automaton[2];
	u32 start[2];
	/* Which of the TABLE_SLOTS the profile is in, and how many buckets of rules that has. */
	u32 tables;
	u32 buckets;
	/* enum domain_flags, for each domain. */
	u8 domains[DOMAINS];
	/* For each domain that is an allow-list, what an operation gets that no rule decides; else 0. */
	u8 posture[DOMAINS];
	/* The conditions that rules of a domain have: others need not be known. */
	u8 conditions[DOMAINS];
	/* A bit for each domain of which operations are reported that nothing forbids. */
	u32 visible;
	u32 pad;
	/* Of the header only, which is the entry of cgroup 0: how many bindings, rules and pages of automata there are, and
	 * the levels in use, deepest first. */
	u32 count;
	u32 rules;
	u32 pages;
	u32 level_count;
	u8 levels[CGROUP_LEVELS];
};

static __always_inline u32 domain_flags(const struct binding *b, u32 domain)
{
	return b->domains[domain & (DOMAINS - 1)];
}

/* Whether operations of the domain are reported whatever the rules say. */
static __always_inline bool domain_visible(const struct binding *b, u32 domain)
{
	return b->visible >> (domain & (DOMAINS - 1)) & 1;
}

/* Sizes, not types: the compiler leaves the types of an inner map out of BTF. max_entries is set for each generation. */
struct bindings_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u64));
	__uint(value_size, sizeof(struct binding));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct bindings_table);
} bindings SEC(".maps");

/* The table in force and its header; 0 if there is none. */
static __always_inline void *bindings_in_force(struct binding **header)
{
	u64 header_key = 0;
	u32 current = 0;
	void *table = bpf_map_lookup_elem(&bindings, &current);

	if (!table)
		return 0;
	*header = bpf_map_lookup_elem(table, &header_key);
	return *header ? table : 0;
}

static __always_inline struct binding *binding_of_current(u64 *cgroup)
{
	struct binding *header, *binding;
	u64 id;
	void *table = bindings_in_force(&header);

	if (!table)
		return 0;
	for (u32 i = 0; i < CGROUP_LEVELS; i++) {
		if (i >= header->level_count)
			return 0;
		id = fix_ancestor_cgroup_id(header->levels[i]);
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

#endif
