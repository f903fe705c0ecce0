/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * One verdict: who asks, for what, which rule says what. The same for every hook and in every mode. A hook begins, asks
 * one question or more, and ends.
 */
#ifndef CORE_JUDGE_H
#define CORE_JUDGE_H

#include "answer.h"
#include "report.h"

/* No rule or posture for the current task's operations of this kind. */
#define NO_RULES (~2U)

/* No slot: no room for a path, so the event has none. */
static __always_inline bool judge_without(const struct binding *b, u64 cgroup, u32 domain, u32 operation, u32 asked)
{
	struct event e = {};

	count(PATH_BUSY);
	e.action = answer_unresolved(b, domain, asked);
	if (e.action < ACTION_AUDIT)
		return 0;
	e.time = bpf_ktime_get_boot_ns();
	e.rule = RULE_UNRESOLVED;
	e.profile = b->profile;
	e.generation = b->generation;
	e.cgroup = cgroup;
	e.domain = domain;
	e.operation = operation;
	e.denied = answer_denies(e.action, asked);
	e.status = PATH_BUSY;
	if (!(asked & ASK_ELSEWHERE))
		task_describe(&e);
	report_send(&e, sizeof(e));
	return e.denied;
}

__noinline int judge_busy(u32 domain, u32 operation, u32 asked)
{
	u64 cgroup = 0;
	struct binding *b = binding_of_current(&cgroup);

	return b && judge_without(b, cgroup, domain, operation, asked);
}

/* Whether the answer in the slot is worth an event: it is against the operation, or the operation is to be seen. */
static __always_inline bool judge_reports(const struct scratch *s)
{
	if (s->action >= ACTION_AUDIT)
		return !(s->asked & ASK_QUIET) || answer_denies(s->action, s->asked);
	return domain_visible(&s->binding, s->domain) && !(s->asked & (ASK_BLOCKS | ASK_QUIET | ASK_USUAL));
}

static __always_inline void judge_report(struct scratch *s, u32 slot)
{
	struct event *e = &s->event;

	__builtin_memset(e, 0, sizeof(*e));
	e->time = bpf_ktime_get_boot_ns();
	e->rule = s->rule;
	e->profile = s->binding.profile;
	e->generation = s->binding.generation;
	e->cgroup = s->cgroup;
	e->flags = s->flags;
	e->mode = s->mode;
	e->domain = s->domain;
	e->operation = s->operation;
	e->action = s->action;
	e->denied = answer_denies(s->action, s->asked);
	e->status = s->status;
	e->decided = s->decided;
	report(slot);
}

/* Who asks, as far as rules are for certain executables. */
__noinline int judge_source(u32 slot)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *s = scratch_at(slot);
	struct file *file;

	if (!s)
		return 0;
	file = fix_read(fix_read(task, mm), exe_file);
	if (!file)
		return 0;
	walk_file(s, slot, file);
	if (s->status != PATH_RESOLVED)
		count(COUNT_SOURCES_UNKNOWN);
	else if (s->kind == PATH_FILE || s->kind == PATH_DELETED)
		s->source = decide_source(s, slot);
	return 0;
}

static __always_inline void judge_meets(struct scratch *s, u32 slot)
{
	s->source = 0;
	if (domain_flags(&s->binding, s->domain) & DOMAIN_SOURCES)
		judge_source(slot);
	s->met = question_met(s);
}

/* Answers the question in the slot about a path, asked that way in that domain; not 0 if it is denied. */
__noinline int judge_path(u32 slot, u32 domain, u32 asked)
{
	struct scratch *s = scratch_at(slot);

	if (!s || !(domain_flags(&s->binding, domain) & (asked & ASK_BLOCKS ? DOMAIN_BLOCKS : DOMAIN_RULES)))
		return 0;
	s->domain = domain;
	s->asked = asked;
	judge_meets(s, slot);
	walk(s, slot, (void *)s->object_dentry, (void *)s->object_mount);
	answer_path(s, slot);
	if (!judge_reports(s))
		return 0;
	judge_report(s, slot);
	return answer_denies(s->action, s->asked);
}

/* The slot to ask about a profile with, or NO_SLOT. */
static __always_inline u32 judge_slot(const struct binding *b, u64 cgroup)
{
	u32 slot = scratch_take();
	struct scratch *s = scratch_at(slot);

	if (!s)
		return NO_SLOT;
	s->binding = *b;
	s->cgroup = cgroup;
	return slot;
}

/*
 * The slot to ask with, NO_RULES or NO_SLOT. domains is a bit for each domain that may have something to say. Global, so
 * that what follows is verified once, and not for each level of cgroups and each slot.
 */
__noinline int judge_begin(u32 domains)
{
	struct binding *b;
	u64 cgroup = 0;
	u32 flags = 0;

	b = binding_of_current(&cgroup);
	if (!b)
		return NO_RULES;
	for (u32 domain = 1; domain <= DOMAIN_CAPABILITIES; domain++) {
		if (domains & (1U << domain))
			flags |= domain_flags(b, domain);
	}
	if (!(flags & DOMAIN_RULES))
		return NO_RULES;
	return judge_slot(b, cgroup);
}

/* Asks another question about the path of the last one. */
static __always_inline bool judge_again(u32 slot, const struct question *q)
{
	if (slot == NO_SLOT)
		return judge_busy(q->domain, q->operation, q->asked);
	return judge_path(slot, q->domain, q->asked);
}

/* Asks about one path; true if it is denied. */
static __always_inline bool judge_ask(u32 slot, const struct question *q)
{
	struct scratch *s = scratch_at(slot);

	if (s) {
		s->operation = q->operation;
		s->flags = q->flags;
		s->mode = q->mode;
		s->object_dentry = (u64)q->dentry;
		s->object_mount = (u64)q->mount;
	}
	return judge_again(slot, q);
}

/* Gives the slot back, and is the hook's answer. */
static __always_inline int judge_end(u32 slot, bool denied, int error)
{
	struct scratch *s = scratch_at(slot);
	int answer;

	if (s)
		scratch_release(s, slot);
	if (!denied)
		return 0;
	/* Set where the compiler cannot compute it from the condition: since 6.12 the verifier wants to see the value. */
	asm volatile("%0 = %1" : "=r"(answer) : "i"(-error));
	return answer;
}

#endif
