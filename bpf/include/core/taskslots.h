/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Room for a path that belongs to a task: for when other tasks were preempted inside the core and hold all slots of this
 * CPU. Nobody can take it away from anybody, so no workload can make the core refuse what another one does. It is
 * allocated when it is needed and given back after the verdict. Kernels before 5.12 do not preempt here.
 */
#ifndef CORE_TASKSLOTS_H
#define CORE_TASKSLOTS_H

#include "bindings.h"
#include "events.h"
#include "limits.h"
#include "rules.h"

/* Of a key that is being hashed: the path's, and that of a name, word or argument. */
enum { STATE_PATH = 0, STATE_WORD = 1 };

struct hash_state {
	u64 v[4];
	u64 words;
};

struct found_directory {
	u64 rule;
	u32 outcome;
	u32 pad;
};

/* Where a DNS query goes to. */
struct server {
	u8 version;
	u8 protocol;
	u16 port;
	u32 pad;
	u8 address[16];
};

/* Between whom a socket is (ends.h): which ends are known. Addresses of IPv4 are as IPv6 has them, ::ffff:192.0.2.1. */
struct ends {
	u32 known;
	u16 local_port;
	u16 remote_port;
	u8 local[16];
	u8 remote[16];
};

struct pending_key {
	u64 task;
	/* Whether it is a script's interpreter that is executed. */
	u64 interpreter;
};

/* A verdict that waits for the arguments (pending.h). */
struct pending {
	struct hash_state state;
	u64 profile;
	/* Only to be compared. */
	u64 file;
	u32 kind;
	u32 source;
	u32 met;
	u32 action;
	/* Arguments at that time: those of a script are the last ones of its interpreter's. */
	u32 count;
	u32 path_bytes;
	u8 path[PENDING_PATH];
};

struct scratch {
	u32 users;

	/* The path (path.h), written from its end: its bytes are path[start] to path[PATH_BYTES - 1]. */
	u32 start;
	u32 components;
	u32 status;
	u32 kind;
	u32 magic;
	u64 inode;

	/* The walk up (walk.h): where it stands. */
	u64 dentry;
	u64 mount;
	u64 mount_root;

	/* The question (judge.h): who asks for what, and what the operation meets. */
	struct binding binding;
	u64 cgroup;
	u64 object_dentry;
	u64 object_mount;
	/* Of a socket: the kernel's, and the address that the operation names (ends.h); or 0. */
	u64 socket;
	u64 address;
	struct ends ends;
	u32 domain;
	u32 operation;
	u32 asked;
	u32 met;
	/* The class of the current executable among the sources of the profile's rules, or 0. */
	u32 source;
	/* What has no path asks about codes (words.h): enum rule_kind, and each one more than the code. */
	u32 words_kind;
	u32 words[4];
	/* What the event says of the operation. */
	u32 flags;
	u32 mode;

	/* The pass over the path (match.h): at which depths to look for directories, and where it stands. */
	u32 depth;
	u64 depths;
	/* Which of the states it is for. */
	u32 hashed;
	/* Bytes of the current component, with its slash, that are not hashed yet. */
	u32 left;
	u32 offset;
	/* The run of an automaton (automata.h). */
	u32 classes;
	u32 row;
	u32 accept;
	struct hash_state states[2];

	/* The decision (decide.h): the entry that was looked up last, the rule that its chain came to, and so far the deepest
	 * directory without and with a source. */
	struct rule_entry entry;
	u64 found;
	u32 best;
	/* Conditions of the rules in it. */
	u32 conditions;
	struct found_directory directories[2];
	u64 rule;
	u32 outcome;
	u32 decided;
	u32 action;
	/* The class of source of the rules that decided; 0 where they are for all executables. */
	u32 decided_source;
	/* The pass ends with a slash. */
	u32 closed;
	u32 pad5;

	/* The DNS query (query.h): where its next question, its end and the segment's are, and the labels of the name. */
	struct server server;
	u32 query_at;
	u32 query_end;
	u32 segment_end;
	u32 labels;

	/* The arguments of a program that is executed (arguments.h). */
	struct pending_key pending_key;
	struct pending pending;
	u64 pending_file;
	u64 arguments;
	u64 argument;
	u32 argument_count;
	u32 argument_skip;
	u32 argument_at;
	u32 pad3;
	struct rule_entry judged;
	u8 chunk[ARGUMENT_CHUNK + 8];

	/* Length of each component, the last one of the path first. */
	u8 lengths[PATH_COMPONENTS];
	/* The event, right before the path, so that both can be sent as they are. */
	struct event event;
	/* With room for one component and one word, so that a masked position is always inside. */
	u8 path[PATH_BYTES + NAME_BYTES + 9];
};

/* Where programs may not use it, the loader makes it an array of one, which nothing looks at. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scratch);
} task_slots SEC(".maps");

static __always_inline struct scratch *task_slot(bool create)
{
	return bpf_task_storage_get(&task_slots, bpf_get_current_task_btf(), 0, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

static __always_inline void task_slot_drop(void)
{
	bpf_task_storage_delete(&task_slots, bpf_get_current_task_btf());
}

#endif
