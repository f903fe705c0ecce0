//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * What may be executed.
 *
 * Hooks:  security_bprm_check, which sees a script and then its interpreter, each with its own file;
 *         security_bprm_committing_creds, where the arguments can be read, for rules that name some: what is denied
 *         there is killed before its first instruction
 * Maps:   pendings, and those that are shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobes do not
 */
#include "core/base.h"
#include "core/pending.h"

static __always_inline bool exec_names_arguments(const struct scratch *s)
{
	return s->binding.conditions[DOMAIN_PROCESS] & CONDITION_ARGUMENTS;
}

static __always_inline void exec_key(struct scratch *s, bool interpreter)
{
	s->pending_key.task = (u64)bpf_get_current_task();
	s->pending_key.interpreter = interpreter;
}

/* After the verdict for arguments that all rules permit: what depends on them waits, and what cannot wait is judged again. */
static __always_inline bool exec_waits(u32 slot, struct linux_binprm *bprm, struct question *q)
{
	bool interpreter = BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename);
	struct scratch *s = scratch_at(slot);

	if (!s || !exec_names_arguments(s))
		return false;
	exec_key(s, interpreter);
	bpf_map_delete_elem(&pendings, &s->pending_key);
	if (!arguments_decide(s))
		return false;
	s->pending.file = (u64)BPF_CORE_READ(bprm, file);
	s->pending.count = BPF_CORE_READ(bprm, argc);
	if (pending_wait(slot))
		return false;
	count(COUNT_ARGUMENTS_LOST);
	q->asked &= ~ASK_ARGUMENTS;
	return judge_ask(slot, q);
}

static __always_inline int exec_check(struct linux_binprm *bprm, u32 asked)
{
	struct question q = { .domain = DOMAIN_PROCESS, .operation = OPERATION_EXEC, .asked = asked | ASK_ARGUMENTS };
	u32 slot = judge_begin(1 << DOMAIN_PROCESS);
	bool denied;

	if (slot == NO_RULES)
		return 0;
	question_file(&q, BPF_CORE_READ(bprm, file));
	denied = judge_ask(slot, &q);
	return judge_end(slot, denied || exec_waits(slot, bprm, &q), EACCES);
}

/* What waited for the arguments. */
static __always_inline bool exec_denied(u32 slot, struct linux_binprm *bprm, u32 asked, bool interpreter)
{
	struct scratch *s = scratch_at(slot);
	struct pending *p;
	struct file *file;

	if (!s || !exec_names_arguments(s))
		return false;
	exec_key(s, interpreter);
	p = bpf_map_lookup_elem(&pendings, &s->pending_key);
	if (!p)
		return false;
	s->pending = *p;
	bpf_map_delete_elem(&pendings, &s->pending_key);
	if (s->pending.profile != s->binding.profile) {
		count(COUNT_ARGUMENTS_LOST);
		return false;
	}
	file = BPF_CORE_READ(bprm, file);
	s->domain = DOMAIN_PROCESS;
	s->operation = OPERATION_EXEC;
	s->asked = asked;
	s->flags = BPF_CORE_READ(file, f_flags);
	s->mode = BPF_CORE_READ(file, f_mode);
	s->pending_file = (u64)file;
	s->arguments = BPF_CORE_READ(bprm, p);
	s->argument_count = BPF_CORE_READ(bprm, argc);
	s->argument_skip = s->argument_count - s->pending.count + 1;
	return pending_judge(slot);
}

static __always_inline void exec_commit(struct linux_binprm *bprm, u32 asked)
{
	u32 slot = judge_begin(1 << DOMAIN_PROCESS);
	bool denied;

	if (slot == NO_RULES)
		return;
	denied = exec_denied(slot, bprm, asked, false) || exec_denied(slot, bprm, asked, true);
	judge_end(slot, denied, EACCES);
	if (denied)
		bpf_send_signal(SIGKILL);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(exec_enforce, struct linux_binprm *bprm, int ret)
{
	return ret ? ret : exec_check(bprm, ASK_ENFORCE);
}

SEC("lsm/bprm_committing_creds")
int BPF_PROG(commit_enforce, struct linux_binprm *bprm)
{
	exec_commit(bprm, ASK_ENFORCE);
	return 0;
}

SEC("kprobe/security_bprm_check")
int BPF_KPROBE(exec_observe, struct linux_binprm *bprm)
{
	exec_check(bprm, 0);
	return 0;
}

SEC("kprobe/security_bprm_committing_creds")
int BPF_KPROBE(commit_observe, struct linux_binprm *bprm)
{
	exec_commit(bprm, 0);
	return 0;
}
