/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The protections that come with the product, judged beside the domains. A hook first finds out whether an operation is
 * what a preset is about, which nearly none is; only then it looks whether the profile has that preset, and asks its
 * rule. A profile has one rule at most for each.
 */
#ifndef CORE_PRESETS_H
#define CORE_PRESETS_H

#include "judge.h"

/* Codes of the presets, as in internal/sensor/table. */
enum preset {
	PRESET_FILELESS_EXEC = 1,
	PRESET_ANONYMOUS_MAP_EXEC = 2,
	PRESET_PROTECT_ENV = 3,
	PRESET_PROTECT_PROC = 4,
	PRESET_EXEC = 5,
};

/* Presets have no domain: their flags, a bit for each code, are in the place of domain 0, which is none. */
#define DOMAIN_PRESETS 0

/* Follows enum rule_kind: the code is what is matched. */
#define RULE_PRESET 12

/* Follow enum operation. */
#define OPERATION_MMAP 22
#define OPERATION_MPROTECT 23
#define OPERATION_PTRACE 24

static __always_inline bool preset_find(const struct binding *b, u32 preset, struct rule_entry *rule)
{
	u64 v[4];

	if (!(domain_flags(b, DOMAIN_PRESETS) & 1U << (preset & 7)))
		return false;
	hash_begin(v);
	hash_word(v, preset);
	return rule_find(b, v, 1, rule_selector(DOMAIN_PRESETS, RULE_PRESET, 0, 0), rule);
}

/* Without a slot the event has no path. */
__noinline int preset_busy(u32 preset, u32 domain, u32 operation, u32 asked)
{
	struct rule_entry rule;
	struct event e = {};
	u64 cgroup = 0;
	struct binding *b = binding_of_current(&cgroup);

	if (!b || !preset_find(b, preset, &rule))
		return 0;
	count(PATH_BUSY);
	e.time = bpf_ktime_get_boot_ns();
	e.rule = rule.id;
	e.profile = b->profile;
	e.generation = b->generation;
	e.cgroup = cgroup;
	e.domain = domain;
	e.operation = operation;
	e.action = rule.action;
	e.denied = answer_denies(rule.action, asked);
	e.status = PATH_BUSY;
	e.decided = RULE_PRESET;
	task_describe(&e);
	report_send(&e, sizeof(e));
	return e.denied;
}

/* Answers the question in the slot; not 0 if it is denied. Whether the object has a path does not matter. */
__noinline int preset_judge(u32 slot, u32 preset)
{
	struct scratch *s = scratch_at(slot);

	if (!s || !preset_find(&s->binding, preset, &s->entry))
		return 0;
	path_begin(s);
	s->kind = PATH_OBJECT;
	if (s->object_dentry)
		walk(s, slot, (void *)s->object_dentry, (void *)s->object_mount);
	s->rule = s->entry.id;
	s->action = s->entry.action;
	s->decided = RULE_PRESET;
	if (!(s->asked & ASK_QUIET) || answer_denies(s->action, s->asked))
		judge_report(s, slot);
	return answer_denies(s->action, s->asked);
}

/* The slot to ask with, NO_SLOT, or NO_RULES where the current task's profile has none of the presets, a bit for each. */
__noinline int preset_begin(u32 presets)
{
	u64 cgroup = 0;
	struct binding *b = binding_of_current(&cgroup);

	if (!b || !(domain_flags(b, DOMAIN_PRESETS) & presets))
		return NO_RULES;
	return judge_slot(b, cgroup);
}

/* Asks one preset; true if it denies. */
static __always_inline bool preset_ask(u32 slot, u32 preset, const struct question *q)
{
	struct scratch *s;

	if (slot == NO_SLOT)
		return preset_busy(preset, q->domain, q->operation, q->asked);
	s = scratch_at(slot);
	if (!s)
		return false;
	s->domain = q->domain;
	s->operation = q->operation;
	s->asked = q->asked;
	s->flags = q->flags;
	s->mode = q->mode;
	s->object_dentry = (u64)q->dentry;
	s->object_mount = (u64)q->mount;
	return preset_judge(slot, preset);
}

#endif
