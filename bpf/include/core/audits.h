/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* The ring of audits: operations that were reported and not denied. */
#ifndef CORE_AUDITS_H
#define CORE_AUDITS_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} audits SEC(".maps");

#endif
