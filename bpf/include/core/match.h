/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Which rule of a profile matches the path in a slot: the exact one, else the deepest directory's. One pass forward
 * over the path, and a lookup only at depths where the profile has directories: the number of rules does not matter.
 */
#ifndef CORE_MATCH_H
#define CORE_MATCH_H

#include "bindings.h"
#include "hash.h"
#include "path.h"
#include "rules.h"

enum match { MATCH_ON = 0, MATCH_END = 1 };

static __always_inline struct rule_value *match_lookup(struct scratch *s, u32 kind)
{
	u64 v[4] = { s->hash[0], s->hash[1], s->hash[2], s->hash[3] };
	struct rule_key key = { .profile = s->binding.profile, .domain = s->domain, .kind = kind };

	hash_end(v, s->words, key.hash);
	return bpf_map_lookup_elem(&rules, &key);
}

/* The directory that the walk forward has just entered. */
static __always_inline void match_directory(struct scratch *s, bool parent)
{
	struct rule_value *rule = match_lookup(s, RULE_DIRECTORY);

	if (!rule)
		return;
	if (parent && rule->direct_action) {
		s->rule = rule->direct_id;
		s->action = rule->direct_action;
	} else if (rule->action) {
		s->rule = rule->id;
		s->action = rule->action;
	}
}

static __always_inline void match_exact(struct scratch *s)
{
	struct rule_value *rule;

	if (!(s->binding.flags & BINDING_EXACT(s->domain)))
		return;
	rule = match_lookup(s, RULE_EXACT);
	if (!rule)
		return;
	s->rule = rule->id;
	s->action = rule->action;
}

/*
 * Hashes one component with the slash behind it. Words may reach over its end; what is over is cut off. Global, like
 * the functions below: the verifier sees it once, and not once for each state that its caller may be in.
 */
__noinline int match_hash(u32 slot, u32 bytes)
{
	struct scratch *s = scratch_at(slot);
	u64 v[4];
	u32 offset;

	if (!s)
		return MATCH_END;
	v[0] = s->hash[0];
	v[1] = s->hash[1];
	v[2] = s->hash[2];
	v[3] = s->hash[3];
	offset = s->offset & (PATH_BYTES - 1);
	for (u32 i = 0; i < (NAME_BYTES + 1) / 8; i++) {
		if (i >= bytes / 8)
			break;
		hash_word(v, *(u64 *)&s->path[offset + i * 8]);
	}
	if (bytes & 7)
		hash_word(v, *(u64 *)&s->path[offset + (bytes & NAME_BYTES & ~7)] & ((1ULL << ((bytes & 7) * 8)) - 1));
	s->hash[0] = v[0];
	s->hash[1] = v[1];
	s->hash[2] = v[2];
	s->hash[3] = v[3];
	s->offset += bytes;
	s->words += (bytes + 7) / 8;
	return MATCH_ON;
}

/* One component forward. At the end, and only there, the status says so. */
__noinline int match_step(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 depth, left, length, domain;

	if (!s)
		return MATCH_END;
	depth = s->depth;
	if (depth >= s->components) {
		match_exact(s);
		s->status = PATH_RESOLVED;
		return MATCH_END;
	}
	left = s->components - depth;
	domain = (s->domain - 1) & 1;
	if (s->binding.depths[domain] & (1ULL << (depth < 63 ? depth : 63)))
		match_directory(s, left == 1);
	length = s->lengths[(left - 1) & (PATH_COMPONENTS - 1)];
	s->depth = depth + 1;
	return match_hash(slot, left == 1 ? length : length + 1);
}

__noinline int match_steps(u32 slot)
{
	for (u32 i = 0; i < LOOP_STEPS; i++) {
		if (match_step(slot))
			return MATCH_END;
	}
	return MATCH_ON;
}

__noinline int match_forward(u32 slot)
{
	for (u32 i = 0; i <= PATH_COMPONENTS / LOOP_STEPS; i++) {
		if (match_steps(slot))
			return MATCH_END;
	}
	return MATCH_ON;
}

/* Sets s->rule, s->action and s->status for the path in the slot; s->binding and s->domain say what to compare with. */
static __always_inline void match(struct scratch *s, u32 slot)
{
	u64 v[4];

	hash_begin(v);
	s->hash[0] = v[0];
	s->hash[1] = v[1];
	s->hash[2] = v[2];
	s->hash[3] = v[3];
	s->words = 0;
	s->depth = 0;
	s->offset = s->start + 1;
	s->rule = 0;
	s->action = ACTION_NONE;
	s->status = PATH_BUSY;
	match_forward(slot);
}

#endif
