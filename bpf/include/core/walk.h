/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The path of a file as its mount namespace names it: from the dentry up to the namespace's root, whatever the task's
 * own root is. bpf_d_path() is closed to LSM programs in 5.10, and stops at a chroot.
 */
#ifndef CORE_WALK_H
#define CORE_WALK_H

#include "core_fixes.h"
#include "path.h"

#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6

/* ERR_PTR(-EINVAL): a mount that the kernel made for itself (pipes, memfd, namespaces). */
#define MNT_NS_INTERNAL ((u64)-22)

enum walk { WALK_ON = 0, WALK_END = 1 };

static __always_inline int walk_end(struct scratch *s, u32 status)
{
	s->status = status;
	return WALK_END;
}

/* At the top of the topmost mount. */
static __always_inline int walk_top(struct scratch *s, struct mount *mount)
{
	u64 ns = (u64)BPF_CORE_READ(mount, mnt_ns);

	/* Only the kernel can open this, as overlayfs does to copy a file up. */
	if (ns == MNT_NS_INTERNAL) {
		s->kind = PATH_OBJECT;
		return walk_end(s, PATH_RESOLVED);
	}
	if (ns == 0 || fix_anonymous_mount_namespace((void *)ns))
		return walk_end(s, PATH_DETACHED);
	return walk_end(s, PATH_RESOLVED);
}

/*
 * At a dentry without a parent which is not its mount's root: unreachable, or in a mount of the kernel's own. There it
 * is an object such as a pipe or a memfd, or, with a path, something that only the kernel can open.
 */
static __always_inline int walk_rootless(struct scratch *s, struct mount *mount, struct dentry *dentry)
{
	if ((u64)BPF_CORE_READ(mount, mnt_ns) != MNT_NS_INTERNAL)
		return walk_end(s, PATH_UNREACHABLE);
	s->kind = PATH_OBJECT;
	if (s->components)
		return walk_end(s, PATH_RESOLVED);
	s->magic = BPF_CORE_READ(dentry, d_sb, s_magic);
	s->inode = BPF_CORE_READ(dentry, d_inode, i_ino);
	if (s->magic != TMPFS_MAGIC && s->magic != HUGETLBFS_MAGIC)
		return walk_end(s, PATH_RESOLVED);
	s->kind = PATH_MEMORY;
	return walk_end(s, path_prepend(s, BPF_CORE_READ(dentry, d_name.name), BPF_CORE_READ(dentry, d_name.len)));
}

/* One component or one mount up. Global, so that the verifier sees it once and not once for each component. */
__noinline int walk_step(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct dentry *dentry, *parent;
	struct mount *mount, *up;
	int err;

	if (!s)
		return WALK_END;
	dentry = (void *)s->dentry;
	mount = (void *)s->mount;
	if (s->dentry == s->mount_root) {
		up = BPF_CORE_READ(mount, mnt_parent);
		if (up == mount)
			return walk_top(s, mount);
		s->dentry = (u64)BPF_CORE_READ(mount, mnt_mountpoint);
		s->mount = (u64)up;
		s->mount_root = (u64)BPF_CORE_READ(up, mnt.mnt_root);
		return WALK_ON;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	if (parent == dentry)
		return walk_rootless(s, mount, dentry);
	err = path_prepend(s, BPF_CORE_READ(dentry, d_name.name), BPF_CORE_READ(dentry, d_name.len));
	if (err)
		return walk_end(s, err);
	s->dentry = (u64)parent;
	return WALK_ON;
}

__noinline int walk_steps(u32 slot)
{
	for (u32 i = 0; i < LOOP_STEPS; i++) {
		if (walk_step(slot))
			return WALK_END;
	}
	return WALK_ON;
}

__noinline int walk_up(u32 slot)
{
	for (u32 i = 0; i < (PATH_COMPONENTS + MOUNT_CROSSINGS) / LOOP_STEPS; i++) {
		if (walk_steps(slot))
			return WALK_END;
	}
	return WALK_ON;
}

/* Writes the path of a dentry below a mount into the slot; s->status says whether it is whole. */
static __always_inline void walk(struct scratch *s, u32 slot, struct dentry *dentry, struct vfsmount *mount)
{
	path_begin(s);
	s->dentry = (u64)dentry;
	s->mount = (u64)mount - bpf_core_field_offset(struct mount, mnt);
	s->mount_root = (u64)BPF_CORE_READ(mount, mnt_root);
	/* What is not there yet may be unhashed too. */
	if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry && BPF_CORE_READ(dentry, d_inode))
		s->kind = PATH_DELETED;
	s->status = PATH_BUSY;
	if (walk_up(slot) == WALK_ON)
		s->status = PATH_TOO_MANY_MOUNTS;
}

static __always_inline void walk_file(struct scratch *s, u32 slot, struct file *file)
{
	walk(s, slot, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
}

#endif
