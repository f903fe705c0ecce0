/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Room for a path. Since 5.12 (031d6e02ddbb) LSM programs run with migration disabled and preemption not, so several
 * tasks may be inside the core on one CPU: each takes a slot of that CPU of its own (taskslots.h for when there is none).
 */
#ifndef CORE_SCRATCH_H
#define CORE_SCRATCH_H

#include "bindings.h"
#include "events.h"
#include "limits.h"
#include "taskslots.h"

/* max_entries is set at load time: SCRATCH_SLOTS for each possible CPU, and SPARE_SLOTS. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_SLOTS);
	__type(key, u32);
	__type(value, struct scratch);
} slots SEC(".maps");

#define NO_SLOT (~0U)
#define TASK_SLOT (~1U)

/* For where the stack of calls is deepest, and time counts. */
static __always_inline struct scratch *scratch_inline(u32 slot)
{
	if (task_storage && slot == TASK_SLOT)
		return task_slot(false);
	return bpf_map_lookup_elem(&slots, &slot);
}

/* For all others: the kernel copies the whole program for each look-up that it finds in it. */
static __noinline struct scratch *scratch_at(u32 slot)
{
	return scratch_inline(slot);
}

/* Who finds itself the only user after adding itself has the slot: whoever comes later, on this CPU and so after it,
 * counts at least two. No instruction newer than 5.10 is needed. */
static __always_inline bool slot_take(u32 *users)
{
	__sync_fetch_and_add(users, 1);
	if (*(volatile u32 *)users == 1)
		return true;
	__sync_fetch_and_add(users, -1);
	return false;
}

static __always_inline void slot_release(u32 *users)
{
	asm volatile("" ::: "memory");
	__sync_fetch_and_add(users, -1);
}

static __always_inline u32 scratch_take_of(u32 first, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		struct scratch *s = scratch_at(first + i);

		if (!s)
			return NO_SLOT;
		if (slot_take(&s->users))
			return first + i;
	}
	return NO_SLOT;
}

/*
 * Before 6.2 task storage is not used: it fails while a task that was preempted inside of it is not back on this CPU. For
 * such kernels there are spare slots, on amd64 only: they pass between CPUs, which needs an addition that is a full
 * barrier, and arm64 has no LSM programs before 6.4.
 */
static __always_inline u32 scratch_take(void)
{
	u32 slot = scratch_take_of(bpf_get_smp_processor_id() * SCRATCH_SLOTS, SCRATCH_SLOTS);

	if (slot != NO_SLOT)
		return slot;
	if (task_storage && task_slot(true))
		return TASK_SLOT;
	if (!spare_slots)
		return NO_SLOT;
	return scratch_take_of(spare_slots, SPARE_SLOTS);
}

static __always_inline void scratch_release(struct scratch *s, u32 slot)
{
	if (task_storage && slot == TASK_SLOT)
		task_slot_drop();
	else
		slot_release(&s->users);
}

#endif
