/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Room for paths and events. Since 5.12 (031d6e02ddbb) LSM programs run with migration disabled and preemption not, so
 * two tasks may be inside the core on one CPU: each takes a slot of that CPU of its own.
 */
#ifndef CORE_SCRATCH_H
#define CORE_SCRATCH_H

#include "bindings.h"
#include "events.h"
#include "limits.h"

struct scratch {
	u32 users;

	/* The path (path.h), written from its end: its bytes are path[start] to path[PATH_BYTES - 1]. */
	u32 start;
	u32 components;
	u32 status;
	u32 kind;
	u32 magic;
	u64 inode;

	/* The walk up (walk.h): where it stands. */
	u64 dentry;
	u64 mount;
	u64 mount_root;

	/* The comparison with the rules (match.h): what to compare with, and where it stands. */
	struct binding binding;
	u32 domain;
	u32 depth;
	u32 offset;
	u32 words;
	u64 hash[4];
	u64 rule;
	u32 action;
	u32 pad;

	/* Length of each component, the last one of the path first. */
	u8 lengths[PATH_COMPONENTS];
	/* With room for one component and one word, so that a masked position is always inside. */
	u8 path[PATH_BYTES + NAME_BYTES + 9];

	struct event event;
	u8 paths[3 * PATH_BYTES];
};

/* max_entries is set at load time: SCRATCH_SLOTS for each possible CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_SLOTS);
	__type(key, u32);
	__type(value, struct scratch);
} slots SEC(".maps");

#define NO_SLOT (~0U)

static __always_inline struct scratch *scratch_at(u32 slot)
{
	return bpf_map_lookup_elem(&slots, &slot);
}

/*
 * Who finds itself the only user after adding itself has the slot: whoever comes later, on this CPU and so after it,
 * counts at least two. No instruction newer than 5.10 is needed.
 */
static __always_inline u32 scratch_take(void)
{
	u32 first = bpf_get_smp_processor_id() * SCRATCH_SLOTS;

	for (u32 i = 0; i < SCRATCH_SLOTS; i++) {
		struct scratch *s = scratch_at(first + i);

		if (!s)
			return NO_SLOT;
		__sync_fetch_and_add(&s->users, 1);
		if (*(volatile u32 *)&s->users == 1)
			return first + i;
		__sync_fetch_and_add(&s->users, -1);
	}
	return NO_SLOT;
}

static __always_inline void scratch_release(struct scratch *s)
{
	asm volatile("" ::: "memory");
	__sync_fetch_and_add(&s->users, -1);
}

#endif
