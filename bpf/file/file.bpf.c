//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * What may be opened and truncated.
 *
 * Hooks:  security_file_open: every way to get a file that can be read, written or executed (open, openat2,
 *         open_by_handle_at, io_uring, execve), and none to get a mere reference (O_PATH);
 *         security_path_truncate, and security_file_truncate, which takes its place for open files since 6.2
 * Maps:   bindings, rules, slots, task_slots, counters, reports, denials, audits: shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobe does not
 */
#include "core/base.h"
#include "core/judge.h"

#define FMODE_WRITE 0x2
#define O_TRUNC 01000

static __always_inline bool file_denied(struct file *file, u32 asked, u32 slot)
{
	struct question q = { .domain = DOMAIN_FILE, .operation = OPERATION_OPEN, .asked = asked };

	question_file(&q, file);
	if (fix_opened_by_kernel(q.mode))
		return false;
	if (q.mode & FMODE_WRITE || q.flags & O_TRUNC)
		q.asked |= ASK_WRITE;
	return judge_ask(slot, &q);
}

static __always_inline int file_check(struct file *file, u32 asked)
{
	u32 slot = judge_begin(1 << DOMAIN_FILE);

	if (slot == NO_RULES)
		return 0;
	return judge_end(slot, file_denied(file, asked, slot), EACCES);
}

SEC("lsm/file_open")
int BPF_PROG(file_enforce, struct file *file, int ret)
{
	return ret ? ret : file_check(file, ASK_ENFORCE);
}

SEC("kprobe/security_file_open")
int BPF_KPROBE(file_observe, struct file *file)
{
	file_check(file, 0);
	return 0;
}

static __always_inline int truncate_check(const struct path *path, u32 asked)
{
	struct question q = { .domain = DOMAIN_FILE, .operation = OPERATION_TRUNCATE, .asked = asked | ASK_WRITE };
	u32 slot = judge_begin(1 << DOMAIN_FILE);

	if (slot == NO_RULES)
		return 0;
	q.dentry = BPF_CORE_READ(path, dentry);
	q.mount = BPF_CORE_READ(path, mnt);
	return judge_end(slot, judge_ask(slot, &q), EACCES);
}

SEC("lsm/path_truncate")
int BPF_PROG(truncate_enforce, const struct path *path, int ret)
{
	return ret ? ret : truncate_check(path, ASK_ENFORCE);
}

SEC("lsm/file_truncate")
int BPF_PROG(ftruncate_enforce, struct file *file, int ret)
{
	return ret ? ret : truncate_check(__builtin_preserve_access_index(&file->f_path), ASK_ENFORCE);
}

SEC("kprobe/security_path_truncate")
int BPF_KPROBE(truncate_observe, const struct path *path)
{
	truncate_check(path, 0);
	return 0;
}

SEC("kprobe/security_file_truncate")
int BPF_KPROBE(ftruncate_observe, struct file *file)
{
	truncate_check(__builtin_preserve_access_index(&file->f_path), 0);
	return 0;
}
