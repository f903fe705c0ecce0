//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * What may be opened.
 *
 * Hook:   security_file_open: every way to get a file that can be read, written or executed (open, openat2,
 *         open_by_handle_at, io_uring, execve), and none to get a mere reference (O_PATH)
 * Maps:   bindings, rules, slots, task_slots, counters, reports, denials, audits: shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobe does not
 */
#include "core/base.h"
#include "core/judge.h"

static __always_inline int file_check(struct file *file, bool enforce)
{
	struct request request = {
		.domain = DOMAIN_FILE,
		.operation = OPERATION_OPEN,
		.file = file,
		.enforce = enforce,
	};

	return judge(&request);
}

SEC("lsm/file_open")
int BPF_PROG(file_enforce, struct file *file, int ret)
{
	return ret ? ret : file_check(file, true);
}

SEC("kprobe/security_file_open")
int BPF_KPROBE(file_observe, struct file *file)
{
	file_check(file, false);
	return 0;
}
