/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* What the loader fixes before the programs load; the verifier sees constants. */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

/* Key of the path hash: random, and kept with the tables that were filled with it. */
const volatile u64 hash_key[2];

/* Whether bpf_get_current_ancestor_cgroup_id() is open to this type of program. */
const volatile bool ancestor_helper;

/* Whether programs of this type may keep something with a task. */
const volatile bool task_storage;

/* Whether the hook of a rename is given its flags. */
const volatile bool rename_flags;

/* The first of the spare slots, behind those of the CPUs; 0 where there are none. */
const volatile u32 spare_slots;

#endif
