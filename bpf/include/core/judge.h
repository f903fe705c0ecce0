/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* One verdict: who asks, for which path, which rule says what. The same for every hook and in every mode. */
#ifndef CORE_JUDGE_H
#define CORE_JUDGE_H

#include "bindings.h"
#include "match.h"
#include "report.h"

/* What is asked. enforce: a Block is really refused. */
struct request {
	u32 domain;
	u32 operation;
	struct file *file;
	bool enforce;
};

static __always_inline void judge_header(struct event *e, const struct request *r, const struct binding *b, u64 cgroup)
{
	struct file *file = r->file;

	__builtin_memset(e, 0, sizeof(*e));
	e->time = bpf_ktime_get_boot_ns();
	e->profile = b->profile;
	e->generation = b->generation;
	e->cgroup = cgroup;
	e->domain = r->domain;
	e->operation = r->operation;
	e->flags = BPF_CORE_READ(file, f_flags);
	e->mode = BPF_CORE_READ(file, f_mode);
}

/* Without a resolved path, a profile that blocks anything blocks this: it might be what it blocks. */
static __always_inline u32 judge_unresolved(const struct binding *b, u32 domain)
{
	if (b->flags & BINDING_BLOCKS(domain))
		return ACTION_BLOCK;
	if (b->flags & BINDING_AUDITS(domain))
		return ACTION_AUDIT;
	return ACTION_ALLOW;
}

static __always_inline int judge_answer(u32 action, bool enforce)
{
	return action == ACTION_BLOCK && enforce ? -EACCES : 0;
}

/* No slot: no room for a path, so the event has none. */
static __always_inline int judge_busy(const struct request *r, const struct binding *b, u64 cgroup)
{
	u32 action = judge_unresolved(b, r->domain);
	struct event e;

	count(PATH_BUSY);
	if (action < ACTION_AUDIT)
		return 0;
	judge_header(&e, r, b, cgroup);
	e.rule = RULE_UNRESOLVED;
	e.action = action;
	e.denied = action == ACTION_BLOCK && r->enforce;
	e.status = PATH_BUSY;
	task_describe(&e);
	report_send(&e, sizeof(e));
	return judge_answer(action, r->enforce);
}

static __always_inline void judge_path(struct scratch *s, u32 slot, const struct request *r, const struct binding *b)
{
	walk(s, slot, r->file);
	s->action = ACTION_NONE;
	if (s->status == PATH_RESOLVED && s->kind != PATH_OBJECT) {
		s->domain = r->domain;
		s->binding = *b;
		match(s, slot);
	}
	if (s->status == PATH_RESOLVED)
		return;
	count(s->status);
	s->rule = RULE_UNRESOLVED;
	s->action = judge_unresolved(b, r->domain);
}

static __always_inline int judge(const struct request *r)
{
	struct file *file = r->file;
	struct binding *b;
	struct scratch *s;
	u64 cgroup = 0;
	u32 slot, action;

	b = binding_of_current(&cgroup);
	if (!b || !(b->flags & BINDING_RULES(r->domain)))
		return 0;
	if (fix_opened_by_kernel(BPF_CORE_READ(file, f_mode)))
		return 0;
	slot = scratch_take();
	s = scratch_at(slot);
	if (!s)
		return judge_busy(r, b, cgroup);
	judge_path(s, slot, r, b);
	action = s->action;
	if (action >= ACTION_AUDIT) {
		judge_header(&s->event, r, b, cgroup);
		s->event.rule = s->rule;
		s->event.action = action;
		s->event.denied = action == ACTION_BLOCK && r->enforce;
		s->event.status = s->status;
		report(slot);
	}
	scratch_release(s, slot);
	return judge_answer(action, r->enforce);
}

#endif
