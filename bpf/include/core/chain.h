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

/* Looks up one entry; s->entry is valid if the answer is true. */
static __always_inline bool chain_entry(struct scratch *s, u32 state, u64 selector)
{
	struct hash_state *h = &s->states[state & 1];
	u64 v[4] = { h->v[0], h->v[1], h->v[2], h->v[3] };

	return rule_find(&s->binding, v, h->words, selector, &s->entry);
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

	/* Direct entries: the component behind the directory is the last one. */
	if (!(flags & RULE_DIRECT) || s->components - s->depth == 1) {
		s->conditions |= s->entry.conditions;
		outcome = chain_outcome(&s->entry, s->met);
		if (outcome > s->best) {
			s->best = outcome;
			s->found = s->entry.id;
		}
	}
	return flags & RULE_MORE;
}

__noinline int chain_next(u32 slot, u32 state, u64 selector)
{
	struct scratch *s = scratch_at(slot);

	if (!s || !chain_entry(s, state, selector))
		return false;
	return chain_weigh(s);
}

__noinline int chain_more(u32 slot, u32 kind, u32 source)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	for (u32 variant = 1; variant < RULE_VARIANTS; variant++) {
		if (!chain_next(slot, chain_state(kind), rule_selector(s->domain, kind, variant, source)))
			break;
	}
	return 0;
}

/*
 * The greatest outcome of the chain, and in s->found its first rule that says so; OUTCOME_NONE if no rule counts. Most
 * chains are of one rule, which costs no further call.
 */
__noinline int chain(u32 slot, u32 kind, u32 source)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return OUTCOME_NONE;
	s->best = OUTCOME_NONE;
	s->conditions = 0;
	if (!chain_entry(s, chain_state(kind), rule_selector(s->domain, kind, 0, source)))
		return OUTCOME_NONE;
	if (chain_weigh(s))
		chain_more(slot, kind, source);
	return s->best;
}

#endif
