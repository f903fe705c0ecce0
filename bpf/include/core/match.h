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

/* Hashes the last component as a word. Words may reach over its end; what is over is cut off. */
__noinline int match_name(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 bytes, offset;
	struct hash_state *h;
	u64 v[4];

	if (!s)
		return MATCH_END;
	h = &s->states[STATE_WORD];
	bytes = s->lengths[0];
	/* The compiler would know that this bounds the loop; the verifier of 5.10 does not. */
	asm volatile("" : "+r"(bytes));
	offset = (PATH_BYTES - bytes) & (PATH_BYTES - 1);
	hash_begin(v);
	for (u32 i = 0; i < (NAME_BYTES + 1) / 8; i++) {
		if (i >= bytes / 8)
			break;
		hash_word(v, hash_load(&s->path[offset + i * 8]));
	}
	if (bytes & 7)
		hash_word(v, hash_load(&s->path[offset + (bytes & NAME_BYTES & ~7)]) & ((1ULL << ((bytes & 7) * 8)) - 1));
	h->v[0] = v[0];
	h->v[1] = v[1];
	h->v[2] = v[2];
	h->v[3] = v[3];
	h->words = (bytes + 7) / 8;
	return MATCH_END;
}

/*
 * Hashes on, up to the next directory to look up. Each component, with the slash behind it, begins a new word. Global,
 * like the functions below: the verifier sees it once, and not once for each state that its caller may be in. Calls
 * and returns are dear where the kernel guards them, so this is a loop over words and not one over components.
 */
__noinline int match_words(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 offset, left, depth, behind, bytes, i;
	struct hash_state *h;
	int end = MATCH_ON;
	u64 v[4], word;

	if (!s)
		return MATCH_END;
	h = &s->states[STATE_PATH];
	v[0] = h->v[0];
	v[1] = h->v[1];
	v[2] = h->v[2];
	v[3] = h->v[3];
	for (i = 0; i < WORD_STEPS; i++) {
		/* Through memory: the verifier forgets what it knew of them, and sees each turn as it saw the one before. */
		left = *(volatile u32 *)&s->left;
		offset = *(volatile u32 *)&s->offset;
		if (!left) {
			depth = s->depth;
			behind = s->components - depth;
			if (!behind) {
				end = MATCH_END;
				break;
			}
			if (s->looked <= depth && s->depths & (1ULL << (depth < 63 ? depth : 63))) {
				end = MATCH_DIRECTORY;
				break;
			}
			left = s->lengths[(behind - 1) & (PATH_COMPONENTS - 1)] + (behind > 1 || s->closed);
			s->depth = depth + 1;
		}
		/* From 1 on, and up to the slash behind the end of the path. */
		word = hash_load(&s->path[((offset - 1) & (PATH_BYTES - 1)) + 1]);
		bytes = left < 8 ? left : 8;
		if (bytes < 8)
			word &= (1ULL << (bytes * 8)) - 1;
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

/* The directory that the pass has just entered: the deepest one that has an answer counts. */
static __always_inline void match_directory(struct scratch *s, u32 slot, u32 source)
{
	struct found_directory *deepest = &s->directories[source ? 1 : 0];
	u32 outcome = chain(slot, RULE_DIRECTORY, source);

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
	for (u32 i = 0; i < LOOP_STEPS; i++) {
		end = match_words(slot);
		if (end == MATCH_END) {
			s->status = PATH_RESOLVED;
			return MATCH_END;
		}
		if (end != MATCH_DIRECTORY)
			continue;
		s->looked = s->depth + 1;
		match_directory(s, slot, 0);
		if (s->source)
			match_directory(s, slot, s->source);
	}
	return MATCH_ON;
}

__noinline int match_forward(u32 slot)
{
	for (u32 i = 0; i <= PATH_STEPS / LOOP_STEPS; i++) {
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
	s->depths = depths;
	s->depth = 0;
	s->left = 0;
	s->looked = 0;
	s->offset = s->start + 1;
	s->directories[0].outcome = OUTCOME_NONE;
	s->directories[1].outcome = OUTCOME_NONE;
	s->status = PATH_BUSY;
	match_forward(slot);
}

#endif
