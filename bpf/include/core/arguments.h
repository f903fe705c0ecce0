/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The arguments of a program that is about to run: whether a rule permits each of them. They are read as the program
 * will find them; what cannot be read, or is longer or more than any rule can name, is not permitted.
 */
#ifndef CORE_ARGUMENTS_H
#define CORE_ARGUMENTS_H

#include "answer.h"

enum { ARGUMENT_ON = 0, ARGUMENT_END = 1, ARGUMENT_FAULT = 2 };

/* Hashes on, up to ARGUMENT_CHUNK bytes of one argument. */
__noinline int argument_chunk(u32 slot)
{
	struct scratch *s = scratch_inline(slot);
	struct hash_state *h;
	u32 left;
	u64 word;
	long n;

	if (!s)
		return ARGUMENT_FAULT;
	h = &s->states[STATE_WORD];
	n = fix_read_user_str(s->chunk, ARGUMENT_CHUNK + 1, (void *)s->argument);
	if (n <= 0)
		return ARGUMENT_FAULT;
	left = n - 1;
	for (u32 i = 0; i < ARGUMENT_CHUNK / 8; i++) {
		if (!left)
			break;
		word = hash_load(&s->chunk[i * 8]);
		if (left < 8)
			word &= (1ULL << (left * 8)) - 1;
		left -= left < 8 ? left : 8;
		state_word(h, word);
	}
	s->argument += n - 1;
	if (n > ARGUMENT_CHUNK)
		return ARGUMENT_ON;
	s->argument++;
	return ARGUMENT_END;
}

/* Hashes one argument. */
__noinline int argument_read(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	int end;

	if (!s)
		return ARGUMENT_FAULT;
	state_begin(&s->states[STATE_WORD]);
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i <= ARGUMENT_BYTES / ARGUMENT_CHUNK; i++) {
		end = argument_chunk(slot);
		if (end != ARGUMENT_ON)
			return end;
	}
	return ARGUMENT_FAULT;
}

enum { ARGUMENTS_ON = 0, ARGUMENTS_PERMITTED = 1, ARGUMENTS_NOT = 2 };

/* The next argument, and whether the rule in s->judged permits it. */
__noinline int arguments_step(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	int at;

	if (!s)
		return ARGUMENTS_NOT;
	at = s->argument_at;
	if (at >= (int)s->argument_count)
		return ARGUMENTS_PERMITTED;
	if (argument_read(slot) != ARGUMENT_END)
		return ARGUMENTS_NOT;
	s->argument_at = at + 1;
	if (at < (int)s->argument_skip)
		return ARGUMENTS_ON;
	state_word(&s->states[STATE_WORD], s->judged.id);
	if (!chain_find(slot, STATE_WORD, rule_selector(DOMAIN_PROCESS, RULE_ARGUMENT, 0, 0)))
		return ARGUMENTS_NOT;
	return ARGUMENTS_ON;
}

__noinline int arguments_steps(u32 slot)
{
	int end;

	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i < LOOP_STEPS; i++) {
		end = arguments_step(slot);
		if (end != ARGUMENTS_ON)
			return end;
	}
	return ARGUMENTS_ON;
}

/* Whether the rule in s->judged permits every argument that is not to be skipped. */
__noinline int arguments_permitted(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	int end;

	if (!s)
		return false;
	s->argument = s->arguments;
	s->argument_at = 0;
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i <= ARGUMENTS / LOOP_STEPS; i++) {
		end = arguments_steps(slot);
		if (end != ARGUMENTS_ON)
			return end == ARGUMENTS_PERMITTED;
	}
	return false;
}

/* One rule of the chain that decided before the arguments were known; true if another one follows. */
__noinline int arguments_weigh(u32 slot, u32 variant)
{
	struct scratch *s = scratch_at(slot);

	if (!s || !chain_find(slot, STATE_PATH, rule_selector(DOMAIN_PROCESS, s->pending.kind, variant, s->pending.source)))
		return false;
	s->judged = s->entry;
	s->met = s->pending.met & ~CONDITION_ARGUMENTS;
	if (s->judged.conditions & CONDITION_ARGUMENTS && arguments_permitted(slot))
		s->met |= CONDITION_ARGUMENTS;
	s->entry = s->judged;
	return chain_weigh(s);
}

/* The answer on the execution in s->pending, now that the arguments are known. */
static __always_inline void answer_arguments(struct scratch *s, u32 slot)
{
	s->states[STATE_PATH] = s->pending.state;
	s->best = OUTCOME_NONE;
	s->conditions = 0;
	for (u32 variant = 0; variant < RULE_VARIANTS; variant++) {
		if (!arguments_weigh(slot, variant))
			break;
	}
	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	decide_found(s, s->pending.kind, s->best);
	answer_outcome(s);
}

/* Whether the verdict that was just made depends on the arguments. */
static __always_inline bool arguments_decide(const struct scratch *s)
{
	return s->conditions & CONDITION_ARGUMENTS && (s->decided == RULE_EXACT || s->decided == RULE_EXECNAME);
}

/* What has to be kept until the arguments are known. */
static __always_inline void arguments_keep(struct scratch *s)
{
	struct pending *p = &s->pending;

	p->state = s->states[chain_state(s->decided) & 1];
	p->profile = s->binding.profile;
	p->kind = s->decided;
	p->source = s->decided_source;
	p->met = s->met;
	p->action = s->action;
}

#endif
