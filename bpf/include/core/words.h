/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* The verdict on what has no path: sockets and capabilities, by the codes that a policy's words have. */
#ifndef CORE_WORDS_H
#define CORE_WORDS_H

#include "judge.h"

static __always_inline u32 words_chain(struct scratch *s, u32 slot, u32 at, u32 source)
{
	u32 word = s->words[at];

	if (!word)
		return OUTCOME_NONE;
	state_begin(&s->states[STATE_WORD]);
	state_word(&s->states[STATE_WORD], word - 1);
	return chain(slot, s->words_kind, source);
}

/* Two words of the first rank, then one of each rank below. */
__noinline int words_decide(u32 slot, u32 source)
{
	struct scratch *s = scratch_at(slot);
	u32 first, second;
	u64 found;

	if (!s)
		return false;
	first = words_chain(s, slot, 0, source);
	found = s->found;
	second = words_chain(s, slot, 1, source);
	if (first >= second)
		s->found = found;
	else
		first = second;
	if (decide_found(s, s->words_kind, first))
		return true;
	if (decide_found(s, s->words_kind, words_chain(s, slot, 2, source)))
		return true;
	return decide_found(s, s->words_kind, words_chain(s, slot, 3, source));
}

/* Answers the question in the slot about words; not 0 if it is denied. */
__noinline int words_judge(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	judge_meets(s, slot);
	path_begin(s);
	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	s->decided = 0;
	if (!s->source || !words_decide(slot, s->source))
		words_decide(slot, 0);
	judge_outcome(s);
	if (s->action < ACTION_AUDIT)
		return 0;
	if (!(s->asked & ASK_QUIET) || judge_denies(s->action, s->asked))
		judge_report(s, slot);
	return judge_denies(s->action, s->asked);
}

/* What is asked about codes: each one more than the code, 0 for none. */
struct words_question {
	u32 domain;
	u32 operation;
	u32 asked;
	u32 kind;
	u32 flags;
	u32 mode;
	u32 words[4];
};

static __always_inline bool words_ask(u32 slot, const struct words_question *q)
{
	struct scratch *s;

	if (slot == NO_SLOT)
		return judge_busy(q->domain, q->operation, q->asked);
	s = scratch_at(slot);
	if (!s)
		return false;
	s->domain = q->domain;
	s->operation = q->operation;
	s->asked = q->asked;
	s->flags = q->flags;
	s->mode = q->mode;
	s->object_dentry = 0;
	s->words_kind = q->kind;
	s->words[0] = q->words[0];
	s->words[1] = q->words[1];
	s->words[2] = q->words[2];
	s->words[3] = q->words[3];
	return words_judge(slot);
}

#endif
