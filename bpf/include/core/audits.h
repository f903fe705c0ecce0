/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The ring of audits: operations that were reported and not denied. Those that are merely visible may fill half of it, so
 * that no flood of them can push an audit out.
 */
#ifndef CORE_AUDITS_H
#define CORE_AUDITS_H

#define AUDITS_BYTES (1 << 20)
#define AUDITS_FOR_LOGS (AUDITS_BYTES / 2)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, AUDITS_BYTES);
} audits SEC(".maps");

#endif
