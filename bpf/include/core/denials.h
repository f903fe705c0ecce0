/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* The ring of denials: apart from the audits, so that no flood of those can push a denial out. */
#ifndef CORE_DENIALS_H
#define CORE_DENIALS_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} denials SEC(".maps");

#endif
