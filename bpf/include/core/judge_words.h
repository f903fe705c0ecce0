/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* The verdict on what has no path. */
#ifndef CORE_JUDGE_WORDS_H
#define CORE_JUDGE_WORDS_H

#include "ends.h"
#include "judge.h"
#include "words.h"

/* Answers the question in the slot about words; not 0 if it is denied. */
__noinline int words_judge(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	judge_meets(s, slot);
	path_begin(s);
	answer_words(s, slot);
	if (!judge_reports(s))
		return 0;
	ends_put(slot);
	judge_report(s, slot);
	return answer_denies(s->action, s->asked);
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
	/* Of a socket that is there: which, and the address that the operation names. */
	struct sock *socket;
	void *address;
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
	s->socket = (u64)q->socket;
	s->address = (u64)q->address;
	s->words_kind = q->kind;
	s->words[0] = q->words[0];
	s->words[1] = q->words[1];
	s->words[2] = q->words[2];
	s->words[3] = q->words[3];
	return words_judge(slot);
}

#endif
