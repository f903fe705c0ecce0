/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Room for a whole event: its header and three paths. */
#ifndef CORE_REPORTS_H
#define CORE_REPORTS_H

#include "scratch.h"

struct report {
	u32 users;
	u32 pad;
	struct event event;
	u8 paths[3 * PATH_BYTES];
};

/* max_entries is set at load time: REPORT_SLOTS for each possible CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REPORT_SLOTS);
	__type(key, u32);
	__type(value, struct report);
} reports SEC(".maps");

static __always_inline struct report *report_take(void)
{
	u32 first = bpf_get_smp_processor_id() * REPORT_SLOTS;

	for (u32 i = 0; i < REPORT_SLOTS; i++) {
		u32 slot = first + i;
		struct report *r = bpf_map_lookup_elem(&reports, &slot);

		if (!r)
			return 0;
		if (slot_take(&r->users))
			return r;
	}
	return 0;
}

#endif
