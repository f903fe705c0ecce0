/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* What an operation asks, and what it meets of the conditions that rules may have. */
#ifndef CORE_QUESTION_H
#define CORE_QUESTION_H

#include "scratch.h"

enum asked {
	/* A Block is really refused. */
	ASK_ENFORCE = 1 << 0,
	/* The operation writes. */
	ASK_WRITE = 1 << 1,
	/* Only rules that block count: their object would get another name. */
	ASK_BLOCKS = 1 << 2,
	/* With it: the object is a directory, and rules for what is in it count. */
	ASK_DIRECTORY = 1 << 3,
	/* What the arguments are will be known later. */
	ASK_ARGUMENTS = 1 << 4,
	/* No event unless it is denied. */
	ASK_QUIET = 1 << 5,
	/* The current task is not the one that asks. */
	ASK_ELSEWHERE = 1 << 6,
	/* Too usual to be reported where it is merely visible. */
	ASK_USUAL = 1 << 7,
};

/* What is asked about one path. */
struct question {
	u32 domain;
	u32 operation;
	u32 asked;
	u32 flags;
	u32 mode;
	struct dentry *dentry;
	struct vfsmount *mount;
};

static __always_inline void question_file(struct question *q, struct file *file)
{
	q->flags = fix_read(file, f_flags);
	q->mode = fix_read(file, f_mode);
	q->dentry = fix_read(file, f_path.dentry);
	q->mount = fix_read(file, f_path.mnt);
}

#define S_IFMT 0170000
#define S_IFDIR 0040000

static __always_inline bool question_directory(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode && (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR;
}

/* Whether the current task owns the object; what is not there yet has no other owner. */
static __always_inline bool question_owner(struct dentry *dentry)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return !inode || BPF_CORE_READ(inode, i_uid.val) == BPF_CORE_READ(task, cred, fsuid.val);
}

static __always_inline bool question_no_terminal(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return !BPF_CORE_READ(task, signal, tty);
}

/* What is met of the conditions that the profile's rules have. */
static __always_inline u32 question_met(const struct scratch *s)
{
	u32 wanted = s->binding.conditions[s->domain & (DOMAINS - 1)], met = 0;

	if (wanted & CONDITION_READ && !(s->asked & ASK_WRITE))
		met |= CONDITION_READ;
	if (wanted & CONDITION_OWNER && s->object_dentry && question_owner((void *)s->object_dentry))
		met |= CONDITION_OWNER;
	if (wanted & CONDITION_NO_TERMINAL && question_no_terminal())
		met |= CONDITION_NO_TERMINAL;
	if (s->asked & ASK_ARGUMENTS)
		met |= CONDITION_ARGUMENTS;
	return met;
}

#endif
