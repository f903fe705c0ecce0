/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* The only place that knows how kernels differ. Each test cites the commit that made the difference. */
#ifndef CORE_FIXES_H
#define CORE_FIXES_H

#include "settings.h"

/*
 * Since 6.2 (a35b9af4ec2c) programs may say of which type a structure of the kernel's is, and then read it by loads, which
 * give 0 where no memory is. Before, each reading is the call of a helper.
 */
extern void *bpf_rdonly_cast(const void *object, u32 type) __ksym __weak;

/* A structure of the kernel's that can be read by loads; where that cannot be, nothing. */
#define fix_typed(object) ((typeof(object))bpf_rdonly_cast(object, bpf_core_type_id_kernel(typeof(*(object)))))

/* A member of a structure of the kernel's; 0 if it cannot be read. */
#define fix_read(object, member)                                                                                       \
	({                                                                                                             \
		typeof(object) from = (object);                                                                        \
		typeof(from->member) value = 0;                                                                        \
		if (bpf_rdonly_cast)                                                                                   \
			value = fix_typed(from)->member;                                                               \
		else                                                                                                   \
			bpf_probe_read_kernel(&value, sizeof(value), __builtin_preserve_access_index(&from->member));  \
		value;                                                                                                 \
	})

/* A short name lies in the dentry itself: in d_iname, and since 6.14 (58cf9c383c5c) in d_shortname. */
struct dentry___iname {
	unsigned char d_iname[32];
} __attribute__((preserve_access_index));

struct dentry___shortname {
	union shortname_store {
		unsigned long words[4];
	} d_shortname;
} __attribute__((preserve_access_index));

/* In words, which all kernels have at least. */
#define FIX_SHORT_NAME 4

static __always_inline u32 fix_short_name(void)
{
	if (bpf_core_field_exists(struct dentry___iname, d_iname))
		return bpf_core_field_offset(struct dentry___iname, d_iname);
	return bpf_core_field_offset(struct dentry___shortname, d_shortname);
}

struct cgroup___ids {
	int level;
	/* Until 6.1 (7f203bc89eb6), which made it ancestors[]. */
	u64 ancestor_ids[1];
} __attribute__((preserve_access_index));

/*
 * The id of the current task's cgroup at a level, 0 where it is not that deep. The helper is open to LSM and kprobe
 * programs since 5.16 (95b861a7935b); older kernels all have ancestor_ids[].
 */
static __always_inline u64 fix_ancestor_cgroup_id(u32 level)
{
	struct task_struct *task;
	struct cgroup___ids *cgroup;
	u64 id = 0;

	if (ancestor_helper)
		return bpf_get_current_ancestor_cgroup_id(level);
	task = (void *)bpf_get_current_task();
	cgroup = (void *)BPF_CORE_READ(task, cgroups, dfl_cgrp);
	if (level > (u32)BPF_CORE_READ(cgroup, level))
		return 0;
	bpf_probe_read_kernel(&id, sizeof(id),
			      (void *)cgroup + bpf_core_field_offset(struct cgroup___ids, ancestor_ids) + level * sizeof(id));
	return id;
}

/* Until 6.17 an anonymous mount namespace is the one with sequence number 0. */
struct mnt_namespace___seq {
	u64 seq;
} __attribute__((preserve_access_index));

/* Since 6.18 all of them have this inode number. */
enum init_ns_ino___anonymous {
	MNT_NS_ANON_INO = 1,
};

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct mnt_namespace___inum {
	struct ns_common ns;
} __attribute__((preserve_access_index));

static __always_inline bool fix_anonymous_mount_namespace(void *ns)
{
	struct mnt_namespace___seq *by_seq = ns;
	struct mnt_namespace___inum *by_inum = ns;

	if (bpf_core_field_exists(by_seq->seq))
		return BPF_CORE_READ(by_seq, seq) == 0;
	return BPF_CORE_READ(by_inum, ns.inum) == (u32)bpf_core_enum_value(enum init_ns_ino___anonymous, MNT_NS_ANON_INO);
}

/*
 * A file that the kernel opened for itself below another one that was judged already: overlayfs opens its real file
 * with the flag alone before 6.5, and together with FMODE_BACKING since (62d53c4a1dfe).
 */
#define FMODE_NOACCOUNT 0x20000000

static __always_inline bool fix_opened_by_kernel(u32 f_mode)
{
	return f_mode & FMODE_NOACCOUNT;
}

/*
 * Since 5.19 the hook of a rename is called once, with its flags (100f59d96405); before, a second time with the names
 * swapped where they are exchanged. Hooks are no types, so the loader counts the arguments.
 */
static __always_inline bool fix_rename_flags(void)
{
	return rename_flags;
}

/* An argument whose number depends on the kernel: the compiler would compute its address, which no verifier accepts. */
#define fix_context_word(ctx, number)                                                                                  \
	({                                                                                                             \
		u64 word;                                                                                              \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(word) : "r"(ctx), "i"((number) * 8));                     \
		word;                                                                                                  \
	})

/*
 * Reads a string of the current task; the answer counts the zero byte behind it, and is negative if it cannot be read.
 * Until strncpy_from_user_nofault() was told so ("maccess: fix strncpy_from_user_nofault() empty string handling"), an
 * empty string counted as 0, without its zero byte.
 */
static __always_inline long fix_read_user_str(void *to, u32 size, const void *from)
{
	long n = bpf_probe_read_user_str(to, size, from);

	return n ? n : 1;
}

#endif
