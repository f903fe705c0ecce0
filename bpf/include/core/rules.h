/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* The rules of all profiles, by the hash of their path. */
#ifndef CORE_RULES_H
#define CORE_RULES_H

/* How many rules there may be; the loader and the compiler of policies know it too. */
#define RULES 65536

enum rule_kind {
	/* Not a rule: written after all rules of a profile, so a profile that has it is whole. */
	RULE_PROFILE = 0,
	RULE_EXACT = 1,
	RULE_DIRECTORY = 2,
};

struct rule_key {
	u64 profile;
	u64 hash[2];
	u32 domain;
	u32 kind;
};

/* A directory may have a rule for its direct entries besides the one for everything below. */
struct rule_value {
	u64 id;
	u64 direct_id;
	u32 action;
	u32 direct_action;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RULES);
	__type(key, struct rule_key);
	__type(value, struct rule_value);
} rules SEC(".maps");

#endif
