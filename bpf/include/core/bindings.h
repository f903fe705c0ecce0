/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Which profile confines the current task. The one slot of the map holds the generation in force: a table from cgroups
 * to profiles. Replacing that table is the switch from one generation to the next, for all workloads at once.
 */
#ifndef CORE_BINDINGS_H
#define CORE_BINDINGS_H

#include "core_fixes.h"
#include "limits.h"

/* Flags of a binding, one bit for each domain. */
#define BINDING_RULES(domain) (1U << (domain))
#define BINDING_BLOCKS(domain) (1U << (8 + (domain)))
#define BINDING_AUDITS(domain) (1U << (16 + (domain)))
#define BINDING_EXACT(domain) (1U << (24 + (domain)))

struct binding {
	u64 generation;
	u64 profile;
	/*
	 * For each domain (less 1), the depths at which the profile has directories: bit 0 for "/", bit 1 for "/etc/";
	 * bit 63 stands for 63 and deeper.
	 */
	u64 depths[2];
	u32 flags;
	/* Of the header only, which is the entry of cgroup 0: how many bindings there are, and the levels in use,
	 * deepest first. */
	u32 count;
	u32 level_count;
	u8 levels[CGROUP_LEVELS];
	u32 pad;
};

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

static __always_inline struct binding *binding_of_current(u64 *cgroup)
{
	struct binding *header, *binding;
	u64 header_key = 0, id;
	u32 current = 0;
	void *table;

	table = bpf_map_lookup_elem(&bindings, &current);
	if (!table)
		return 0;
	header = bpf_map_lookup_elem(table, &header_key);
	if (!header)
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
