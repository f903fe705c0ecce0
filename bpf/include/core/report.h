/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Sends a verdict, with whole paths. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "audits.h"
#include "counters.h"
#include "denials.h"
#include "question.h"
#include "reports.h"
#include "task.h"
#include "walk.h"

static __always_inline void report_send(struct event *e, u64 bytes)
{
	bool log = e->action < ACTION_AUDIT;

	if (e->action == ACTION_BLOCK) {
		if (bpf_ringbuf_output(&denials, e, bytes, 0))
			count(COUNT_DENIALS_LOST);
	} else if ((log && bpf_ringbuf_query(&audits, BPF_RB_AVAIL_DATA) > AUDITS_FOR_LOGS) ||
		   bpf_ringbuf_output(&audits, e, bytes, 0)) {
		count(log ? COUNT_LOGS_LOST : COUNT_AUDITS_LOST);
	}
}

/* Appends the path in the slot to the event's paths; returns its length. */
static __always_inline u32 report_path(struct report *r, struct scratch *s, u32 at)
{
	u32 start = s->start;
	u32 bytes;

	if (start > PATH_BYTES)
		return 0;
	bytes = PATH_BYTES - start;
	if (at > 2 * PATH_BYTES)
		return 0;
	if (bpf_probe_read_kernel(&r->paths[at], bytes, &s->path[start]))
		return 0;
	return bytes;
}

/* Adds the path of a task's executable; returns its length. */
static __always_inline u32 report_executable(struct report *r, struct scratch *s, u32 slot, struct task_struct *task, u32 at)
{
	struct file *file = BPF_CORE_READ(task, mm, exe_file);

	path_begin(s);
	if (file)
		walk_file(s, slot, file);
	return report_path(r, s, at);
}

/* Adds who does it, behind the resource; returns the length of everything. */
static __always_inline u32 report_executables(struct report *r, struct scratch *s, u32 slot, u32 bytes)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct event *e = &r->event;

	e->source_bytes = report_executable(r, s, slot, task, bytes);
	e->source_kind = s->kind;
	e->source_status = s->status;
	bytes += e->source_bytes;
	e->parent_bytes = report_executable(r, s, slot, BPF_CORE_READ(task, real_parent), bytes);
	e->parent_kind = s->kind;
	e->parent_status = s->status;
	return bytes + e->parent_bytes;
}

static __always_inline void report_whole(struct report *r, struct scratch *s, u32 slot)
{
	struct event *e = &r->event;
	u32 bytes;

	*e = s->event;
	bytes = report_path(r, s, 0);
	e->resource_bytes = bytes;
	if (!(s->asked & ASK_ELSEWHERE))
		bytes = report_executables(r, s, slot, bytes);
	if (bytes <= sizeof(r->paths))
		report_send(e, sizeof(*e) + bytes);
}

/*
 * Completes the event in the slot, whose verdict is set and whose path is the resource's, and sends it. Global, so that
 * the verifier sees it apart from the decision.
 */
__noinline int report(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct report *r;
	struct event *e;

	if (!s)
		return 0;
	e = &s->event;
	e->inode = s->inode;
	e->magic = s->magic;
	e->kind = s->kind;
	if (!(s->asked & ASK_ELSEWHERE))
		task_describe(e);
	r = report_take();
	if (r) {
		report_whole(r, s, slot);
		slot_release(&r->users);
		return 0;
	}
	/* The resource alone, with what is in front of it. */
	count(COUNT_EVENTS_CUT);
	e->skip = s->start;
	e->resource_bytes = PATH_BYTES - s->start;
	report_send(e, sizeof(*e) + PATH_BYTES);
	return 0;
}

#endif
