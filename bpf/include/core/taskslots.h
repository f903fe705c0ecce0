/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Room for a path that belongs to a task: for when other tasks were preempted inside the core and hold all slots of this
 * CPU. Nobody can take it away from anybody, so no workload can make the core refuse what another one does. It is
 * allocated when it is needed and given back after the verdict. Kernels before 5.12 do not preempt here.
 */
#ifndef CORE_TASKSLOTS_H
#define CORE_TASKSLOTS_H

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
	/* The event, right before the path, so that both can be sent as they are. */
	struct event event;
	/* With room for one component and one word, so that a masked position is always inside. */
	u8 path[PATH_BYTES + NAME_BYTES + 9];
};

/* Where programs may not use it, the loader makes it an array of one, which nothing looks at. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scratch);
} task_slots SEC(".maps");

static __always_inline struct scratch *task_slot(bool create)
{
	return bpf_task_storage_get(&task_slots, bpf_get_current_task_btf(), 0, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

static __always_inline void task_slot_drop(void)
{
	bpf_task_storage_delete(&task_slots, bpf_get_current_task_btf());
}

#endif
