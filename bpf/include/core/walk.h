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
	u64 ns = (u64)fix_read(mount, mnt_ns);

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

/* Puts "/name" before what is there, of a name that lies in its dentry: word by word, of the last one only what is new. */
static __always_inline int walk_short_name(struct scratch *s, struct dentry *dentry, u32 length)
{
	const u64 *name = (void *)fix_typed(dentry) + fix_short_name();
	u64 old, *to;
	u32 at, left;
	int err = path_room(s, length, &at);

	if (err)
		return err;
	to = (u64 *)&s->path[at];
	for (u32 i = 0; i < FIX_SHORT_NAME; i++) {
		left = length - i * 8;
		if (left >= 8) {
			to[i] = name[i];
			if (left > 8)
				continue;
			break;
		}
		old = ~0ULL << (left * 8);
		to[i] = (to[i] & old) | (name[i] & ~old);
		break;
	}
	return PATH_RESOLVED;
}

static __always_inline int walk_name(struct scratch *s, struct dentry *dentry)
{
	const void *name = fix_read(dentry, d_name.name);
	u32 length = fix_read(dentry, d_name.len);

	if (bpf_rdonly_cast && name == (void *)dentry + fix_short_name() && length <= FIX_SHORT_NAME * 8)
		return walk_short_name(s, dentry, length);
	return path_prepend(s, name, length);
}

/* One component or one mount up. Global, so that the verifier sees it once and not once for each component. */
__noinline int walk_step(u32 slot)
{
	struct scratch *s = scratch_inline(slot);
	struct dentry *dentry;
	struct mount *mount;
	u64 parent, up;
	int err;

	if (!s)
		return WALK_END;
	dentry = (void *)s->dentry;
	mount = (void *)s->mount;
	if (s->dentry == s->mount_root) {
		up = (u64)fix_read(mount, mnt_parent);
		if (up == s->mount)
			return walk_top(s, mount);
		s->dentry = (u64)fix_read(mount, mnt_mountpoint);
		s->mount = up;
		s->mount_root = (u64)fix_read((struct mount *)up, mnt.mnt_root);
		return WALK_ON;
	}
	parent = (u64)fix_read(dentry, d_parent);
	if (parent == s->dentry)
		return walk_rootless(s, mount, dentry);
	err = walk_name(s, dentry);
	if (err)
		return walk_end(s, err);
	s->dentry = parent;
	return WALK_ON;
}

__noinline int walk_some(u32 slot)
{
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i < LOOP_STEPS; i++) {
		if (walk_step(slot))
			return WALK_END;
	}
	return WALK_ON;
}

__noinline int walk_all(u32 slot)
{
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i <= (PATH_COMPONENTS + MOUNT_CROSSINGS) / LOOP_STEPS; i++) {
		if (walk_some(slot))
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
	s->mount_root = (u64)fix_read(mount, mnt_root);
	/* What is not there yet may be unhashed too. */
	if (!fix_read(dentry, d_hash.pprev) && fix_read(dentry, d_parent) != dentry && fix_read(dentry, d_inode))
		s->kind = PATH_DELETED;
	/* Its end says something else. */
	s->status = PATH_TOO_MANY_MOUNTS;
	walk_all(slot);
}

static __always_inline void walk_file(struct scratch *s, u32 slot, struct file *file)
{
	walk(s, slot, fix_read(file, f_path.dentry), fix_read(file, f_path.mnt));
}

#endif
