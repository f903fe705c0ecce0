/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* What the rules of one key say together: those of one rank that compete for the same path, name or word. */
#ifndef CORE_CHAIN_H
#define CORE_CHAIN_H

#include "scratch.h"

/* The path's hash for what is made of a path; else that of a word. */
static __always_inline u32 chain_state(u32 kind)
{
	if (kind == RULE_EXACT || kind == RULE_DIRECTORY || kind == RULE_SOURCE || kind == RULE_ANCESTOR)
		return STATE_PATH;
	return STATE_WORD;
}

/* What one rule says, given the conditions that are met. */
static __always_inline u32 chain_outcome(const struct rule_entry *entry, u32 met)
{
	bool meets = !(entry->conditions & ~met);

	if (entry->action == ACTION_ALLOW)
		return meets ? OUTCOME_ALLOW : OUTCOME_POSTURE;
	if (entry->conditions && meets)
		return OUTCOME_ALLOW;
	return entry->action + 1;
}

/* Weighs the entry that was just found; true if another one follows. */
static __always_inline bool chain_weigh(struct scratch *s)
{
	u8 flags = s->entry.flags;
	u32 outcome;

	/* Direct entries: the component behind the directory, which the pass is at, is the last one. */
	if (!(flags & RULE_DIRECT) || s->components == s->depth) {
		s->conditions |= s->entry.conditions;
		outcome = chain_outcome(&s->entry, s->met);
		if (outcome > s->best) {
			s->best = outcome;
			s->found = s->entry.id;
		}
	}
	return flags & RULE_MORE;
}

/* What to look up by: enum { STATE_PATH, STATE_WORD }, and whether what is found competes. */
#define CHAIN_WEIGH 2

enum chain_found { CHAIN_NONE = 0, CHAIN_FOUND = 1, CHAIN_MORE = 2 };

/* Looks up one entry, which is in s->entry then. The only place that does, as it is what costs the verifier most. */
__noinline int chain_find(u32 slot, u32 how, u64 selector)
{
	struct scratch *s = scratch_inline(slot);
	struct hash_state *h;
	u64 v[4];

	if (!s)
		return CHAIN_NONE;
	h = &s->states[how & 1];
	v[0] = h->v[0];
	v[1] = h->v[1];
	v[2] = h->v[2];
	v[3] = h->v[3];
	if (!rule_find(&s->binding, v, h->words, selector, &s->entry))
		return CHAIN_NONE;
	if (!(how & CHAIN_WEIGH))
		return CHAIN_FOUND;
	return chain_weigh(s) ? CHAIN_FOUND | CHAIN_MORE : CHAIN_FOUND;
}

__noinline int chain_more(u32 slot, u32 kind, u32 source)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	CALLS_IN_ONE_PLACE
	for (u32 variant = 1; variant < RULE_VARIANTS; variant++) {
		if (!(chain_find(slot, chain_state(kind) | CHAIN_WEIGH, rule_selector(s->domain, kind, variant, source)) & CHAIN_MORE))
			break;
	}
	return 0;
}

/*
 * The greatest outcome of the chain, and in s->found its first rule that says so; OUTCOME_NONE if no rule counts. Most
 * chains are of one rule, which costs one call.
 */
static __always_inline u32 chain(struct scratch *s, u32 slot, u32 kind, u32 source)
{
	s->best = OUTCOME_NONE;
	s->conditions = 0;
	if (chain_find(slot, chain_state(kind) | CHAIN_WEIGH, rule_selector(s->domain, kind, 0, source)) & CHAIN_MORE)
		chain_more(slot, kind, source);
	return s->best;
}

#endif
