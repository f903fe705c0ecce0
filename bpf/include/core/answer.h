/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The answer to the question in a slot, once its path is there: the action, and the rule or what stands for one. It is
 * the same in hooks and in tests, and asks nobody else.
 */
#ifndef CORE_ANSWER_H
#define CORE_ANSWER_H

#include "counters.h"
#include "decide.h"
#include "question.h"

static __always_inline bool answer_denies(u32 action, u32 asked)
{
	return action == ACTION_BLOCK && asked & ASK_ENFORCE;
}

/*
 * Without a resolved path, a profile that blocks anything blocks this, and one that audits anything audits it: it might
 * be what a rule names. In an allow-list no rule names it, so it gets the posture, if that is stronger.
 */
static __always_inline u32 answer_unresolved(const struct binding *b, u32 domain, u32 asked)
{
	u32 flags = domain_flags(b, domain);
	u32 posture = b->posture[domain & (DOMAINS - 1)];

	if (flags & DOMAIN_BLOCKS)
		return ACTION_BLOCK;
	if (asked & ASK_BLOCKS)
		return ACTION_NONE;
	return flags & DOMAIN_AUDITS && posture < ACTION_AUDIT ? ACTION_AUDIT : posture;
}

/* What the outcome means: the rules' own action, or the posture of an allow-list that they leave it to. */
static __always_inline void answer_outcome(struct scratch *s)
{
	if (s->outcome > OUTCOME_POSTURE) {
		s->action = s->outcome - 1;
		return;
	}
	s->rule = RULE_POSTURE;
	s->action = s->binding.posture[s->domain & (DOMAINS - 1)];
}

static __always_inline void answer_rules(struct scratch *s, u32 slot)
{
	if (s->asked & ASK_DIRECTORY)
		decide_ancestor(s, slot);
	else
		decide(s, slot);
	if (s->status == PATH_RESOLVED)
		answer_outcome(s);
	/* The posture is on operations, and not on rules that a new name would evade. */
	if (s->asked & ASK_BLOCKS && s->outcome != OUTCOME_BLOCK)
		s->action = ACTION_NONE;
}

/* On the path in the slot, if there is one: what has none is no file that a rule can mean. */
static __always_inline void answer_path(struct scratch *s, u32 slot)
{
	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	s->decided = 0;
	s->action = ACTION_NONE;
	if (s->status == PATH_RESOLVED && (s->kind == PATH_OBJECT || s->kind == PATH_MEMORY)) {
		if (s->domain == DOMAIN_PROCESS)
			answer_outcome(s);
		return;
	}
	if (s->status == PATH_RESOLVED)
		answer_rules(s, slot);
	if (s->status == PATH_RESOLVED)
		return;
	count(s->status);
	s->rule = RULE_UNRESOLVED;
	s->action = answer_unresolved(&s->binding, s->domain, s->asked);
}

#endif
