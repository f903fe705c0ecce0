/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * One pass forward over the path in a slot: it hashes the components, and looks for rules at the depths where the profile
 * has directories. The number of rules does not matter.
 */
#ifndef CORE_MATCH_H
#define CORE_MATCH_H

#include "chain.h"
#include "path.h"

enum match { MATCH_ON = 0, MATCH_END = 1, MATCH_DIRECTORY = 2 };

/* Words that are hashed in one go; more of them cost the verifier more. */
#define WORD_STEPS 16
/* How often the pass may stop: at each component, and after each WORD_STEPS words. */
#define MATCH_STEPS 8
#define PATH_STEPS (PATH_COMPONENTS + (PATH_COMPONENTS + PATH_BYTES / 8) / WORD_STEPS)

static __always_inline void state_begin(struct hash_state *state)
{
	u64 v[4];

	hash_begin(v);
	state->v[0] = v[0];
	state->v[1] = v[1];
	state->v[2] = v[2];
	state->v[3] = v[3];
	state->words = 0;
}

static __always_inline void state_word(struct hash_state *state, u64 word)
{
	u64 v[4] = { state->v[0], state->v[1], state->v[2], state->v[3] };

	hash_word(v, word);
	state->v[0] = v[0];
	state->v[1] = v[1];
	state->v[2] = v[2];
	state->v[3] = v[3];
	state->words++;
}

/* 1 if a < b, of numbers below 2^63; else 0. A branch would have the verifier look twice at all that follows. */
static __always_inline u64 match_less(u64 a, u64 b)
{
	u64 difference = a - b;

	/* So that the compiler makes no branch of it. */
	asm volatile("" : "+r"(difference));
	difference >>= 63;
	asm volatile("" : "+r"(difference));
	return difference;
}

/* 1 where to look for directories that deep. */
static __always_inline u64 match_looks(u64 depths, u64 depth)
{
	return depths >> ((depth | match_less(63, depth) * 63) & 63) & 1;
}

/*
 * Hashes on, up to the next directory to look up. Each component, with the slash behind it, begins a new word. Global,
 * like the functions below: the verifier sees it once, and not once for each state that its caller may be in. Calls
 * and returns are dear where the kernel guards them, so this is a loop over words and not one over components.
 */
__noinline int match_words(u32 slot)
{
	struct scratch *s = scratch_inline(slot);
	u32 offset, depth, i;
	struct hash_state *h;
	int end = MATCH_ON;
	u64 v[4], word, left, behind, next, bytes;

	if (!s)
		return MATCH_END;
	h = &s->states[s->hashed & 1];
	v[0] = h->v[0];
	v[1] = h->v[1];
	v[2] = h->v[2];
	v[3] = h->v[3];
	for (i = 0; i < WORD_STEPS; i++) {
		/* Through memory: the verifier forgets what it knew of it, and sees each turn as it saw the one before. */
		left = *(volatile u32 *)&s->left;
		depth = s->depth;
		behind = (u32)(s->components - depth);
		/* 1 where the next component begins. */
		next = match_less(left, 1);
		if (next & match_less(behind, 1)) {
			end = MATCH_END;
			break;
		}
		left += next * (s->lengths[(behind - 1) & (PATH_COMPONENTS - 1)] + (s->closed | match_less(1, behind)));
		*(volatile u32 *)&s->left = left;
		s->depth = depth + next;
		if (next & match_looks(s->depths, depth)) {
			end = MATCH_DIRECTORY;
			break;
		}
		offset = *(volatile u32 *)&s->offset;
		/* From 1 on, and up to the slash behind the end of the path. */
		word = hash_load(&s->path[((offset - 1) & (PATH_BYTES - 1)) + 1]);
		bytes = 8 - match_less(left, 8) * (8 - left);
		word = word << (64 - bytes * 8) >> (64 - bytes * 8);
		*(volatile u32 *)&s->offset = offset + bytes;
		*(volatile u32 *)&s->left = left - bytes;
		hash_word(v, word);
	}
	h->v[0] = v[0];
	h->v[1] = v[1];
	h->v[2] = v[2];
	h->v[3] = v[3];
	h->words += i;
	return end;
}

/* The directory that the pass is about to enter the next component of: the deepest one that has an answer counts. */
static __always_inline void match_directory(struct scratch *s, u32 slot, u32 source)
{
	struct found_directory *deepest = &s->directories[source ? 1 : 0];
	u32 outcome = chain(s, slot, RULE_DIRECTORY, source);

	if (outcome == OUTCOME_NONE)
		return;
	deepest->rule = s->found;
	deepest->outcome = outcome;
}

/* At the end, and only there, the status says so. */
__noinline int match_some(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	int end;

	if (!s)
		return MATCH_END;
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i < MATCH_STEPS; i++) {
		end = match_words(slot);
		if (end == MATCH_END) {
			s->status = PATH_RESOLVED;
			return MATCH_END;
		}
		if (end != MATCH_DIRECTORY)
			continue;
		match_directory(s, slot, 0);
		if (s->source)
			match_directory(s, slot, s->source);
	}
	return MATCH_ON;
}

__noinline int match_all(u32 slot)
{
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i <= PATH_STEPS / MATCH_STEPS; i++) {
		if (match_some(slot))
			return MATCH_END;
	}
	return MATCH_ON;
}

/*
 * Hashes the path in the slot, or, closed, that of the directory that it names; depths says where to look for
 * directories on the way. s->status says whether it was done.
 */
static __always_inline void match(struct scratch *s, u32 slot, u64 depths, bool closed)
{
	s->closed = closed;
	s->path[PATH_BYTES] = '/';
	state_begin(&s->states[STATE_PATH]);
	s->hashed = STATE_PATH;
	s->depths = depths;
	s->depth = 0;
	s->left = 0;
	s->offset = s->start + 1;
	s->directories[0].outcome = OUTCOME_NONE;
	s->directories[1].outcome = OUTCOME_NONE;
	s->status = PATH_BUSY;
	match_all(slot);
}

/* Hashes the last component once more, as a word: a pass of few steps. */
static __always_inline void match_name(struct scratch *s, u32 slot)
{
	state_begin(&s->states[STATE_WORD]);
	s->hashed = STATE_WORD;
	s->depths = 0;
	s->depth = s->components - 1;
	s->left = 0;
	s->offset = PATH_BYTES - s->lengths[0];
	match_some(slot);
}

#endif
