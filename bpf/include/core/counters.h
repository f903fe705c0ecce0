/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Everything that could not be judged or reported, by cause. */
#ifndef CORE_COUNTERS_H
#define CORE_COUNTERS_H

#include "verdict.h"

/* The first ones are the values of enum path_status. */
enum counter {
	COUNT_DENIALS_LOST = 8,
	COUNT_AUDITS_LOST = 9,
	/* Sent without the executables' paths. */
	COUNT_EVENTS_CUT = 10,
	/* Judged as if no rule were for its executable, whose path could not be resolved. */
	COUNT_SOURCES_UNKNOWN = 11,
	/* Executed although nothing was left to compare its arguments with. */
	COUNT_ARGUMENTS_LOST = 12,
	COUNT_LOGS_LOST = 13,
	COUNTERS = 16,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

static __always_inline void count(u32 cause)
{
	u64 *n = bpf_map_lookup_elem(&counters, &cause);

	/* Atomic, because another task may run on this CPU in between. */
	if (n)
		__sync_fetch_and_add(n, 1);
}

#endif
