//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * What may be executed.
 *
 * Hooks:  security_bprm_check, which sees a script and then its interpreter, each with its own file;
 *         security_bprm_committing_creds, where the arguments can be read, for rules that name some: what is denied
 *         there is killed before its first instruction; security_task_free, for executions that failed
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

struct linux_binprm___head {
	char buf[4];
} __attribute__((preserve_access_index));

/*
 * Whether the program will find the arguments as they are now. A script will not: it has its interpreter executed, and
 * if it is an interpreter itself, its own arguments are among those of the script that it is for.
 */
static __always_inline bool exec_is_last(struct linux_binprm *bprm)
{
	struct linux_binprm___head *b = (void *)bprm;
	char head[4] = {};

	bpf_probe_read_kernel(head, sizeof(head), __builtin_preserve_access_index(&b->buf));
	return head[0] == 0x7f && head[1] == 'E' && head[2] == 'L' && head[3] == 'F';
}

static __always_inline bool exec_is_interpreter(struct linux_binprm *bprm)
{
	return BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename);
}

/* What waits of an execution that failed is gone; of one that goes on, what its script's interpreter does is another. */
static __always_inline void exec_forget(struct scratch *s, bool interpreter)
{
	exec_key(s, true);
	bpf_map_delete_elem(&pendings, &s->pending_key);
	exec_key(s, interpreter);
	if (!interpreter)
		bpf_map_delete_elem(&pendings, &s->pending_key);
}

/* After the verdict for arguments that all rules permit: what depends on them waits, and what cannot wait is judged again. */
static __always_inline bool exec_waits(u32 slot, struct linux_binprm *bprm, struct question *q)
{
	struct scratch *s = scratch_at(slot);

	if (!s || !exec_names_arguments(s))
		return false;
	exec_forget(s, exec_is_interpreter(bprm));
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
	struct question q = { .domain = DOMAIN_PROCESS, .operation = OPERATION_EXEC, .asked = asked };
	u32 slot = judge_begin(1 << DOMAIN_PROCESS);
	bool denied;

	if (slot == NO_RULES)
		return 0;
	if (!exec_is_interpreter(bprm) || exec_is_last(bprm))
		q.asked |= ASK_ARGUMENTS;
	question_file(&q, BPF_CORE_READ(bprm, file));
	denied = judge_ask(slot, &q);
	return judge_end(slot, denied || exec_waits(slot, bprm, &q), EACCES);
}

/* What waited for the arguments. Nothing does if they do not decide. */
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

/* An execution that failed is not waited for any more when its task ends. */
static __always_inline void exec_end(struct task_struct *task)
{
	struct pending_key key = { .task = (u64)task };

	bpf_map_delete_elem(&pendings, &key);
	key.interpreter = true;
	bpf_map_delete_elem(&pendings, &key);
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

SEC("lsm/task_free")
int BPF_PROG(end_enforce, struct task_struct *task)
{
	exec_end(task);
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

SEC("kprobe/security_task_free")
int BPF_KPROBE(end_observe, struct task_struct *task)
{
	exec_end(task);
	return 0;
}
