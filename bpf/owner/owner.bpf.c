//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Whose owner may be changed, on kernels whose security_path_chown no program can be attached to: before 6.1 none can be
 * given its arguments, of which two are structures. The function around that call, chown_common(), has the path, and is
 * judged at its beginning. What is refused there is denied a few lines on, in security_inode_setattr, which has a dentry
 * and no path.
 *
 * Hooks:  chown_common (beginning and end), security_inode_setattr
 * Maps:   owners, and those that are shared with the other programs
 * Kernel: 5.10 to 6.0 with CONFIG_SECURITY_PATH
 */
#include "core/base.h"
#include "core/judge.h"

/* The dentry whose owner a task may not change now. More tasks than this are never between the two at one time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u64);
} owners SEC(".maps");

static __always_inline bool owner_denied(const struct path *path)
{
	struct question q = { .domain = DOMAIN_FILE, .operation = OPERATION_CHOWN, .asked = ASK_ENFORCE | ASK_WRITE };
	u32 slot = judge_begin(1 << DOMAIN_FILE);

	if (slot == NO_RULES)
		return false;
	q.dentry = BPF_CORE_READ(path, dentry);
	q.mount = BPF_CORE_READ(path, mnt);
	return judge_end(slot, judge_ask(slot, &q), EACCES);
}

SEC("fentry/chown_common")
int BPF_PROG(owner_begin_enforce, const struct path *path)
{
	u64 task = bpf_get_current_task(), dentry;

	if (!owner_denied(path))
		return 0;
	dentry = (u64)BPF_CORE_READ(path, dentry);
	bpf_map_update_elem(&owners, &task, &dentry, 0);
	return 0;
}

SEC("lsm/inode_setattr")
int BPF_PROG(owner_enforce, struct dentry *dentry, void *attributes, int ret)
{
	u64 task = bpf_get_current_task();
	u64 *refused = bpf_map_lookup_elem(&owners, &task);
	int answer;

	if (ret || !refused || *refused != (u64)dentry)
		return ret;
	/* As in judge_end(). */
	asm volatile("%0 = %1" : "=r"(answer) : "i"(-EACCES));
	return answer;
}

/* Whether or not the kernel came as far as the denial. */
SEC("fexit/chown_common")
int BPF_PROG(owner_end_enforce, const struct path *path)
{
	u64 task = bpf_get_current_task();

	bpf_map_delete_elem(&owners, &task);
	return 0;
}
