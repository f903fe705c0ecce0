/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Executions whose verdict depends on the arguments, which can only be read when the new program's memory is in place.
 * By task, which stays the same where a thread takes the place of its leader; a script and its interpreter are two.
 */
#ifndef CORE_PENDING_H
#define CORE_PENDING_H

#include "scratch.h"

/* Stale entries, of executions that failed, go as others need the room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct pending_key);
	__type(value, struct pending);
} pendings SEC(".maps");

#endif
