/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The decision on a domain name. The name lies in the slot's buffer for paths as a DNS message has it: labels, each
 * behind its length, and an empty one at the end. It is hashed from the last label to the first, so that the name of a
 * domain is hashed on the way to each name below it. The number of rules does not matter.
 */
#ifndef CORE_NAMES_H
#define CORE_NAMES_H

#include "answer.h"

/* Bytes of a name with all its lengths, and of one label. */
#define DNS_NAME_BYTES 255
#define DNS_LABEL_BYTES 63
#define DNS_LABELS 127
/* What is there of a name, with room for the last words of a label at its end. */
#define DNS_ROOM 320
/* Where the name is in the slot's buffer for paths. */
#define DNS_AT (PATH_BYTES - DNS_ROOM)

/* Finds the labels, and says how many bytes the name has; 0 if it is none. One that was compressed is none either. */
__noinline int name_labels(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 at = 0, bytes;

	if (!s)
		return 0;
	for (u32 i = 0; i <= DNS_LABELS; i++) {
		at &= 0xff;
		bytes = s->path[DNS_AT + at];
		if (!bytes) {
			s->labels = i;
			return at + 1;
		}
		/* Room for the empty label is needed too. */
		if (bytes > DNS_LABEL_BYTES || at + bytes + 1 >= DNS_NAME_BYTES)
			return 0;
		s->lengths[i] = at;
		at += bytes + 1;
	}
	return 0;
}

/* The upper case letters of ASCII as lower case ones, in all bytes of a word. A label's length is no letter. */
static __always_inline u64 name_lower(u64 word)
{
	u64 seven = word & 0x7f7f7f7f7f7f7f7fULL;
	u64 from_a = seven + 0x3f3f3f3f3f3f3f3fULL;
	u64 over_z = seven + 0x2525252525252525ULL;
	u64 letter = (from_a ^ over_z) & ~word & 0x8080808080808080ULL;

	return word | letter >> 2;
}

/* The rules for all names below what was hashed so far: the longest one that has an answer counts. */
static __always_inline void name_wildcard(struct scratch *s, u32 slot, u32 source)
{
	struct found_directory *longest = &s->directories[source ? 1 : 0];
	u32 outcome = chain(s, slot, RULE_WILDCARD, source);

	if (outcome == OUTCOME_NONE)
		return;
	longest->rule = s->found;
	longest->outcome = outcome;
}

/* Hashes the next label, and looks up the wildcards that it is below; at the first label's end true. */
__noinline int name_step(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 left, at, bytes, depth;
	u64 word;

	if (!s)
		return true;
	left = s->left;
	if (!left)
		return true;
	depth = s->depth;
	if (s->binding.names & (1ULL << (depth < 63 ? depth : 63))) {
		name_wildcard(s, slot, 0);
		if (s->source)
			name_wildcard(s, slot, s->source);
	}
	at = s->lengths[(left - 1) & DNS_LABELS];
	bytes = s->path[DNS_AT + at] + 1;
	for (u32 i = 0; i <= DNS_LABEL_BYTES / 8; i++) {
		if (i * 8 >= bytes)
			break;
		word = *(u64 *)&s->path[DNS_AT + at + i * 8];
		if (bytes - i * 8 < 8)
			word &= (1ULL << ((bytes & 7) * 8)) - 1;
		state_word(&s->states[STATE_WORD], name_lower(word));
	}
	s->left = left - 1;
	s->depth = depth + 1;
	return false;
}

__noinline int name_steps(u32 slot)
{
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i <= DNS_LABELS; i++) {
		if (name_step(slot))
			return true;
	}
	return false;
}

static __always_inline bool name_found(struct scratch *s, u32 slot, u32 which, u32 source)
{
	if (decide_found(s, RULE_NAME, chain(s, slot, RULE_NAME, source)))
		return true;
	s->found = s->directories[which].rule;
	return decide_found(s, RULE_WILDCARD, s->directories[which].outcome);
}

/* Answers on the name whose labels were found. */
static __always_inline void answer_name(struct scratch *s, u32 slot)
{
	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	s->decided = 0;
	s->depth = 0;
	s->left = s->labels;
	s->directories[0].outcome = OUTCOME_NONE;
	s->directories[1].outcome = OUTCOME_NONE;
	state_begin(&s->states[STATE_WORD]);
	name_steps(slot);
	if (!s->source || !name_found(s, slot, 1, s->source))
		name_found(s, slot, 0, 0);
	answer_outcome(s);
}

#endif
