/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Sends a verdict, with whole paths. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "audits.h"
#include "counters.h"
#include "denials.h"
#include "task.h"
#include "walk.h"

static __always_inline void report_send(struct event *e, u64 bytes)
{
	if (e->action == ACTION_BLOCK) {
		if (bpf_ringbuf_output(&denials, e, bytes, 0))
			count(COUNT_DENIALS_LOST);
	} else if (bpf_ringbuf_output(&audits, e, bytes, 0)) {
		count(COUNT_AUDITS_LOST);
	}
}

/* Appends the path in the slot to the event's paths; returns its length. */
static __always_inline u32 report_path(struct scratch *s, u32 at)
{
	u32 start = s->start;
	u32 bytes;

	if (start > PATH_BYTES)
		return 0;
	bytes = PATH_BYTES - start;
	if (at > 2 * PATH_BYTES)
		return 0;
	if (bpf_probe_read_kernel(&s->paths[at], bytes, &s->path[start]))
		return 0;
	return bytes;
}

static __always_inline struct file *report_executable(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm, exe_file);
}

/*
 * Completes the event in the slot, whose verdict is set and whose path is the resource's, and sends it. Global, so that
 * the verifier sees it apart from the decision.
 */
__noinline int report(u32 slot)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *s = scratch_at(slot);
	struct file *source;
	struct event *e;
	u32 bytes;

	if (!s)
		return 0;
	e = &s->event;
	e->inode = s->inode;
	e->magic = s->magic;
	e->kind = s->kind;
	e->resource_bytes = report_path(s, 0);
	e->source_bytes = 0;
	e->parent_bytes = 0;
	task_describe(e);
	bytes = e->resource_bytes;
	source = report_executable(task);
	if (source) {
		walk(s, slot, source);
		e->source_kind = s->kind;
		e->source_bytes = report_path(s, bytes);
		bytes += e->source_bytes;
	}
	source = report_executable(BPF_CORE_READ(task, real_parent));
	if (source) {
		walk(s, slot, source);
		e->parent_kind = s->kind;
		e->parent_bytes = report_path(s, bytes);
		bytes += e->parent_bytes;
	}
	if (bytes > sizeof(s->paths))
		return 0;
	report_send(e, sizeof(*e) + bytes);
	return 0;
}

#endif
