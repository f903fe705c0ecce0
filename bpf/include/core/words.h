/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* The answer on what has no path: sockets and capabilities, by the codes that a policy's words have. */
#ifndef CORE_WORDS_H
#define CORE_WORDS_H

#include "answer.h"

static __always_inline u32 words_chain(struct scratch *s, u32 slot, u32 at, u32 source)
{
	u32 word = s->words[at];

	if (!word)
		return OUTCOME_NONE;
	state_begin(&s->states[STATE_WORD]);
	state_word(&s->states[STATE_WORD], word - 1);
	return chain(s, slot, s->words_kind, source);
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

static __always_inline void answer_words(struct scratch *s, u32 slot)
{
	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	s->decided = 0;
	if (!s->source || !words_decide(slot, s->source))
		words_decide(slot, 0);
	answer_outcome(s);
}

#endif
