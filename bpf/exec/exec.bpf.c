//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * What may be executed.
 *
 * Hook:   security_bprm_check, which sees a script and then its interpreter, each with its own file
 * Maps:   bindings, rules, slots, task_slots, counters, reports, denials, audits: shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobe does not
 */
#include "core/base.h"
#include "core/judge.h"

static __always_inline int exec_check(struct linux_binprm *bprm, bool enforce)
{
	struct request request = {
		.domain = DOMAIN_PROCESS,
		.operation = OPERATION_EXEC,
		.file = BPF_CORE_READ(bprm, file),
		.enforce = enforce,
	};

	return judge(&request);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(exec_enforce, struct linux_binprm *bprm, int ret)
{
	return ret ? ret : exec_check(bprm, true);
}

SEC("kprobe/security_bprm_check")
int BPF_KPROBE(exec_observe, struct linux_binprm *bprm)
{
	exec_check(bprm, false);
	return 0;
}
