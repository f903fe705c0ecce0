//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Which capabilities may be used.
 *
 * Hook:   security_capable, after the kernel itself has found that the task has the capability
 * Maps:   shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobe does not
 */
#include "core/base.h"
#include "core/judge_words.h"

#define PF_IO_WORKER 0x10

struct task_struct___capable {
	unsigned int flags;
	const struct cred *real_cred;
	const struct cred *cred;
	void *io_uring;
} __attribute__((preserve_access_index));

/*
 * Whether the task acts for the kernel, with credentials that are not its own: overlayfs copies up with those of who
 * mounted it. Through io_uring a task can act with credentials that it had before, and that is its own doing.
 */
static __always_inline bool capable_for_kernel(void)
{
	struct task_struct___capable *task = (void *)bpf_get_current_task();

	if (BPF_CORE_READ(task, cred) == BPF_CORE_READ(task, real_cred) || BPF_CORE_READ(task, flags) & PF_IO_WORKER)
		return false;
	return !bpf_core_field_exists(task->io_uring) || !BPF_CORE_READ(task, io_uring);
}

/* Somebody only wants to know: that is no use worth an event. */
#define CAP_OPT_NOAUDIT 2

static __always_inline int capable_check(int capability, u32 options, u32 asked)
{
	struct words_question q = {
		.domain = DOMAIN_CAPABILITIES,
		.operation = OPERATION_CAPABLE,
		.asked = asked | (options & CAP_OPT_NOAUDIT ? ASK_QUIET : 0),
		.kind = RULE_CAPABILITY,
		.mode = capability,
		.words = { capability + 1 },
	};
	u32 slot;

	if (capable_for_kernel())
		return 0;
	slot = judge_begin(1 << DOMAIN_CAPABILITIES);
	if (slot == NO_RULES)
		return 0;
	return judge_end(slot, words_ask(slot, &q), EPERM);
}

SEC("lsm/capable")
int BPF_PROG(capable_enforce, const struct cred *cred, void *ns, int capability, unsigned int options, int ret)
{
	return ret ? ret : capable_check(capability, options, ASK_ENFORCE);
}

/* The probe is asked first, so it must find out itself whether the task has the capability at all. */
SEC("kprobe/security_capable")
int BPF_KPROBE(capable_observe, const struct cred *cred, void *ns, int capability, unsigned int options)
{
	u64 has = 0;

	bpf_probe_read_kernel(&has, sizeof(has), __builtin_preserve_access_index(&cred->cap_effective));
	if (has & (1ULL << (capability & 63)))
		capable_check(capability, options, 0);
	return 0;
}
