/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The decision on the path in a slot, from the binding, the domain, the class of the source and the conditions that are
 * met: the rules of the most specific rank that has any. It is the same in hooks and in tests, and reads nothing else.
 */
#ifndef CORE_DECIDE_H
#define CORE_DECIDE_H

#include "automata.h"
#include "match.h"

static __always_inline bool decide_found(struct scratch *s, u32 kind, u32 outcome)
{
	if (outcome == OUTCOME_NONE)
		return false;
	s->rule = s->found;
	s->outcome = outcome;
	s->decided = kind;
	return true;
}

static __always_inline bool decide_directory(struct scratch *s, u32 which)
{
	s->found = s->directories[which].rule;
	return decide_found(s, RULE_DIRECTORY, s->directories[which].outcome);
}

static __always_inline bool decide_exact(struct scratch *s, u32 slot, u32 flags, u32 source)
{
	if (flags & DOMAIN_EXACT && decide_found(s, RULE_EXACT, chain(s, slot, RULE_EXACT, source)))
		return true;
	if (!(flags & DOMAIN_EXECNAME) || !s->components)
		return false;
	match_name(s, slot);
	return decide_found(s, RULE_EXECNAME, chain(s, slot, RULE_EXECNAME, source));
}

static __always_inline bool decide_pattern(struct scratch *s, u32 slot, u32 flags)
{
	u32 accept;

	if (!(flags & DOMAIN_PATTERNS))
		return false;
	accept = automaton_run(slot);
	if (!accept)
		return false;
	state_begin(&s->states[STATE_WORD]);
	state_word(&s->states[STATE_WORD], accept);
	return decide_found(s, RULE_PATTERN, chain(s, slot, RULE_PATTERN, 0));
}

/* Sets s->outcome, s->rule and s->decided; none of them without an answer. s->status says whether the path was read. */
static __always_inline void decide(struct scratch *s, u32 slot)
{
	u32 flags = domain_flags(&s->binding, s->domain);
	u32 source = s->source;

	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	s->decided = 0;
	match(s, slot, s->binding.depths[(s->domain - 1) & 1], false);
	if (s->status != PATH_RESOLVED)
		return;
	s->decided_source = source;
	if (source && (decide_exact(s, slot, flags, source) || decide_directory(s, 1)))
		return;
	s->decided_source = 0;
	if (decide_exact(s, slot, flags, 0) || decide_pattern(s, slot, flags))
		return;
	decide_directory(s, 0);
}

/* The same for a directory that gets another name: whether a Block rule names something in it. */
static __always_inline void decide_ancestor(struct scratch *s, u32 slot)
{
	u32 source = s->source;

	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	s->decided = 0;
	match(s, slot, 0, true);
	if (s->status != PATH_RESOLVED)
		return;
	if (source && decide_found(s, RULE_ANCESTOR, chain(s, slot, RULE_ANCESTOR, source)))
		return;
	decide_found(s, RULE_ANCESTOR, chain(s, slot, RULE_ANCESTOR, 0));
}

/* The class of the executable whose path is in the slot; 0 if no rule of the profile is for it. */
static __always_inline u32 decide_source(struct scratch *s, u32 slot)
{
	match(s, slot, 0, false);
	if (s->status != PATH_RESOLVED || !chain_find(slot, STATE_PATH, rule_selector(0, RULE_SOURCE, 0, 0)))
		return 0;
	return s->entry.value;
}

#endif
