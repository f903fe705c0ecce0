/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Executions whose verdict depends on the arguments, which can only be read when the new program's memory is in place.
 * By task, which stays the same where a thread takes the place of its leader; a script and its interpreter are two.
 */
#ifndef CORE_PENDING_H
#define CORE_PENDING_H

#include "arguments.h"
#include "judge.h"

/*
 * No entry takes the place of another: who finds no room is not executed. Of an execution that failed it stays until the
 * task's next one, or its end.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct pending_key);
	__type(value, struct pending);
} pendings SEC(".maps");

/* The path that was judged, if it is not that of the file at hand: of a script its end is left. */
static __always_inline void pending_path(struct scratch *s, u32 slot, struct file *file)
{
	u32 bytes = s->pending.path_bytes;

	if ((u64)file == s->pending.file) {
		walk_file(s, slot, file);
		return;
	}
	path_begin(s);
	if (bytes > PENDING_PATH) {
		bytes = PENDING_PATH;
		s->status = PATH_TOO_LONG;
	}
	s->start = PATH_BYTES - bytes;
	bpf_probe_read_kernel(&s->path[PATH_BYTES - PENDING_PATH], PENDING_PATH, s->pending.path);
}

/* The verdict on the execution in s->pending; not 0 if it is denied. What was reported already is not once more. */
__noinline int pending_judge(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	answer_arguments(s, slot);
	if (s->action < ACTION_AUDIT || s->action == s->pending.action)
		return 0;
	pending_path(s, slot, (void *)s->pending_file);
	judge_report(s, slot);
	return answer_denies(s->action, s->asked);
}

/* Puts the question off until the arguments are known; false if that cannot be. */
__noinline int pending_wait(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct pending *p;

	if (!s)
		return false;
	p = &s->pending;
	arguments_keep(s);
	/* A report puts other paths into the slot. */
	p->path_bytes = s->action < ACTION_AUDIT ? PATH_BYTES - s->start : 0;
	bpf_probe_read_kernel(p->path, PENDING_PATH, &s->path[PATH_BYTES - PENDING_PATH]);
	return !bpf_map_update_elem(&pendings, &s->pending_key, p, 0);
}

#endif
