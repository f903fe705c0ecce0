//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * What may be made, removed, renamed, linked and changed by its name.
 *
 * Hooks:  security_path_mknod, mkdir, symlink, unlink, rmdir, link, rename, chmod, chown
 * Maps:   shared with the other programs
 * Kernel: 5.10 and later with CONFIG_SECURITY_PATH; LSM attachment needs 6.4 on arm64, the kprobes do not
 */
#include "core/base.h"
#include "core/judge.h"

#define RENAME_EXCHANGE 2

/* One operation on one path. */
static __always_inline int path_check(u32 operation, struct dentry *dentry, const struct path *at, u32 asked)
{
	struct question q = { .domain = DOMAIN_FILE, .operation = operation, .asked = asked | ASK_WRITE };
	u32 slot = judge_begin(1 << DOMAIN_FILE);

	if (slot == NO_RULES)
		return 0;
	q.dentry = dentry ? dentry : BPF_CORE_READ(at, dentry);
	q.mount = BPF_CORE_READ(at, mnt);
	return judge_end(slot, judge_ask(slot, &q), EACCES);
}

/*
 * The name that an object has, when it is to get another one. A rule on executing it would not hold for that, and one on
 * something in it neither; so what such a rule blocks, and what has something like it inside, keeps its name.
 */
static __always_inline bool path_leaves(u32 slot, struct question *q)
{
	bool denied = judge_ask(slot, q);
	u32 asked = q->asked;

	q->asked |= ASK_BLOCKS;
	q->domain = DOMAIN_PROCESS;
	denied = denied || judge_again(slot, q);
	if (!denied && question_directory(q->dentry)) {
		q->asked |= ASK_DIRECTORY;
		denied = judge_again(slot, q);
		q->domain = DOMAIN_FILE;
		denied = denied || judge_again(slot, q);
	}
	q->domain = DOMAIN_FILE;
	q->asked = asked;
	return denied;
}

struct renaming {
	const struct path *old_dir, *new_dir;
	struct dentry *old, *new;
	u32 operation;
	u32 asked;
	bool exchange;
};

static __always_inline int path_rename(const struct renaming *r)
{
	struct question q = { .domain = DOMAIN_FILE, .operation = r->operation, .asked = r->asked | ASK_WRITE };
	/* Not read through r, which is no structure of the kernel's. */
	const struct path *old_dir = r->old_dir, *new_dir = r->new_dir;
	u32 slot = judge_begin(1 << DOMAIN_FILE | 1 << DOMAIN_PROCESS);
	bool denied;

	if (slot == NO_RULES)
		return 0;
	q.dentry = r->old;
	q.mount = BPF_CORE_READ(old_dir, mnt);
	denied = path_leaves(slot, &q);
	q.dentry = r->new;
	q.mount = BPF_CORE_READ(new_dir, mnt);
	if (!denied)
		denied = r->exchange ? path_leaves(slot, &q) : judge_ask(slot, &q);
	return judge_end(slot, denied, EACCES);
}

SEC("lsm/path_mknod")
int BPF_PROG(mknod_enforce, const struct path *dir, struct dentry *dentry, unsigned short mode, unsigned int dev, int ret)
{
	return ret ? ret : path_check(OPERATION_CREATE, dentry, dir, ASK_ENFORCE);
}

SEC("lsm/path_mkdir")
int BPF_PROG(mkdir_enforce, const struct path *dir, struct dentry *dentry, unsigned short mode, int ret)
{
	return ret ? ret : path_check(OPERATION_MKDIR, dentry, dir, ASK_ENFORCE);
}

SEC("lsm/path_symlink")
int BPF_PROG(symlink_enforce, const struct path *dir, struct dentry *dentry, const char *target, int ret)
{
	return ret ? ret : path_check(OPERATION_SYMLINK, dentry, dir, ASK_ENFORCE);
}

SEC("lsm/path_unlink")
int BPF_PROG(unlink_enforce, const struct path *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : path_check(OPERATION_UNLINK, dentry, dir, ASK_ENFORCE);
}

SEC("lsm/path_rmdir")
int BPF_PROG(rmdir_enforce, const struct path *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : path_check(OPERATION_RMDIR, dentry, dir, ASK_ENFORCE);
}

SEC("lsm/path_chmod")
int BPF_PROG(chmod_enforce, const struct path *path, unsigned short mode, int ret)
{
	return ret ? ret : path_check(OPERATION_CHMOD, 0, path, ASK_ENFORCE);
}

/* The ids are structures of one word, which take the place of one argument each. */
SEC("lsm/path_chown")
int BPF_PROG(chown_enforce, const struct path *path, u64 uid, u64 gid, int ret)
{
	return ret ? ret : path_check(OPERATION_CHOWN, 0, path, ASK_ENFORCE);
}

/* Both names of a link are in one mount. */
SEC("lsm/path_link")
int BPF_PROG(link_enforce, struct dentry *old, const struct path *new_dir, struct dentry *new, int ret)
{
	struct renaming r = {
		.old_dir = new_dir, .new_dir = new_dir, .old = old, .new = new, .operation = OPERATION_LINK, .asked = ASK_ENFORCE,
	};

	return ret ? ret : path_rename(&r);
}

SEC("lsm/path_rename")
int rename_enforce(unsigned long long *ctx)
{
	struct renaming r = {
		.old_dir = (void *)ctx[0], .old = (void *)ctx[1], .new_dir = (void *)ctx[2], .new = (void *)ctx[3],
		.operation = OPERATION_RENAME, .asked = ASK_ENFORCE,
	};
	int ret;

	if (fix_rename_flags()) {
		r.exchange = fix_context_word(ctx, 4) & RENAME_EXCHANGE;
		ret = fix_context_word(ctx, 5);
	} else {
		ret = fix_context_word(ctx, 4);
	}
	return ret ? ret : path_rename(&r);
}

SEC("kprobe/security_path_mknod")
int BPF_KPROBE(mknod_observe, const struct path *dir, struct dentry *dentry)
{
	path_check(OPERATION_CREATE, dentry, dir, 0);
	return 0;
}

SEC("kprobe/security_path_mkdir")
int BPF_KPROBE(mkdir_observe, const struct path *dir, struct dentry *dentry)
{
	path_check(OPERATION_MKDIR, dentry, dir, 0);
	return 0;
}

SEC("kprobe/security_path_symlink")
int BPF_KPROBE(symlink_observe, const struct path *dir, struct dentry *dentry)
{
	path_check(OPERATION_SYMLINK, dentry, dir, 0);
	return 0;
}

SEC("kprobe/security_path_unlink")
int BPF_KPROBE(unlink_observe, const struct path *dir, struct dentry *dentry)
{
	path_check(OPERATION_UNLINK, dentry, dir, 0);
	return 0;
}

SEC("kprobe/security_path_rmdir")
int BPF_KPROBE(rmdir_observe, const struct path *dir, struct dentry *dentry)
{
	path_check(OPERATION_RMDIR, dentry, dir, 0);
	return 0;
}

SEC("kprobe/security_path_chmod")
int BPF_KPROBE(chmod_observe, const struct path *path)
{
	path_check(OPERATION_CHMOD, 0, path, 0);
	return 0;
}

SEC("kprobe/security_path_chown")
int BPF_KPROBE(chown_observe, const struct path *path)
{
	path_check(OPERATION_CHOWN, 0, path, 0);
	return 0;
}

SEC("kprobe/security_path_link")
int BPF_KPROBE(link_observe, struct dentry *old, const struct path *new_dir, struct dentry *new)
{
	struct renaming r = { .old_dir = new_dir, .new_dir = new_dir, .old = old, .new = new, .operation = OPERATION_LINK };

	path_rename(&r);
	return 0;
}

SEC("kprobe/security_path_rename")
int BPF_KPROBE(rename_observe, const struct path *old_dir, struct dentry *old, const struct path *new_dir, struct dentry *new, u32 flags)
{
	struct renaming r = {
		.old_dir = old_dir, .new_dir = new_dir, .old = old, .new = new, .operation = OPERATION_RENAME,
		.exchange = flags & RENAME_EXCHANGE,
	};

	path_rename(&r);
	return 0;
}
