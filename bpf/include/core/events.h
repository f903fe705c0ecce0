/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* An event as it crosses to Go: this header, then the bytes of three paths without terminators. */
#ifndef CORE_EVENTS_H
#define CORE_EVENTS_H

struct event {
	/* Nanoseconds since boot, suspend included. */
	u64 time;
	u64 rule;
	u64 profile;
	u64 generation;
	u64 cgroup;
	u64 inode;
	u32 magic;
	u32 host_pid;
	u32 host_ppid;
	u32 pid;
	u32 ppid;
	u32 uid;
	u32 flags;
	u32 mode;
	u32 resource_bytes;
	u32 source_bytes;
	u32 parent_bytes;
	u8 domain;
	u8 operation;
	u8 action;
	u8 denied;
	u8 status;
	u8 kind;
	u8 source_kind;
	u8 parent_kind;
	u8 source_status;
	u8 parent_status;
	/* enum rule_kind of the rules that decided; 0 if none did. */
	u8 decided;
	u8 pad;
	u8 comm[16];
	/* Bytes between this header and the first path. */
	u32 skip;
	u32 pad2;
};

#endif
