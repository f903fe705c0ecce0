//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The presets protectEnv, protectProc and exec: what processes have of each other. And of anonymousMapExec: a process's
 * memory as a file.
 *
 * Hooks:  security_file_open, for files of procfs, by whatever path; security_ptrace_access_check, which also guards the
 *         links in /proc/PID and the system calls that read and write another process's memory; security_ptrace_traceme;
 *         security_bprm_check
 * Maps:   shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobes do not
 */
#include "core/base.h"
#include "core/presets.h"
#include "kernel.h"

#define FMODE_WRITE 0x2
#define PROC_SUPER_MAGIC 0x9fa0
#define PTRACE_MODE_NOAUDIT 0x4
/* As deep as files are below /proc/PID/task/TID and /proc/PID/net, whose entries are nobody's themselves. */
#define PROC_DEPTH 6
/* Above a container's cgroup there are fewer. */
#define CGROUP_DEPTH 32

/* Whose directory in /proc the object is in, or 0. */
static __always_inline struct pid___preset *proc_owner(struct dentry *dentry)
{
	for (u32 i = 0; i < PROC_DEPTH; i++) {
		void *inode = BPF_CORE_READ(dentry, d_inode);
		struct proc_inode *entry = inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
		struct pid___preset *pid = inode ? BPF_CORE_READ(entry, pid) : 0;

		if (pid)
			return pid;
		dentry = BPF_CORE_READ(dentry, d_parent);
	}
	return 0;
}

/* Whether it is a process other than the current one, threads included. Who is gone has nothing to protect. */
static __always_inline bool proc_of_another(struct pid___preset *pid)
{
	struct task_struct *current = (void *)bpf_get_current_task();
	struct hlist_node *first = BPF_CORE_READ(pid, tasks[0].first);
	struct task_struct *task = (void *)first - bpf_core_field_offset(struct task_struct___preset, pid_links);

	return first && BPF_CORE_READ(task, tgid) != BPF_CORE_READ(current, tgid);
}

static __always_inline bool proc_is_environ(struct dentry *dentry)
{
	char name[8] = {};

	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	return !__builtin_memcmp(name, "environ", sizeof(name));
}

static __always_inline bool proc_is_memory(struct dentry *dentry)
{
	char name[4] = {};

	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	return !__builtin_memcmp(name, "mem", sizeof(name));
}

/*
 * Whether a process's memory is opened for writing, one's own too: what is written there need not be writable, and may
 * be executable.
 */
static __always_inline bool proc_changes_memory(struct file *file)
{
	return BPF_CORE_READ(file, f_mode) & FMODE_WRITE && proc_is_memory(BPF_CORE_READ(file, f_path.dentry));
}

static __always_inline int proc_check(struct file *file, u32 asked)
{
	struct question q = { .domain = DOMAIN_FILE, .operation = OPERATION_OPEN, .asked = asked };
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct pid___preset *owner = proc_owner(dentry);
	bool another, environ, memory, denied = false;
	u32 slot;

	if (!owner)
		return 0;
	another = proc_of_another(owner);
	environ = another && proc_is_environ(dentry);
	memory = proc_changes_memory(file);
	if (!another && !memory)
		return 0;
	slot = preset_begin((another ? 1 << PRESET_PROTECT_PROC : 0) | (environ ? 1 << PRESET_PROTECT_ENV : 0) |
			    (memory ? 1 << PRESET_ANONYMOUS_MAP_EXEC : 0));
	if (slot == NO_RULES)
		return 0;
	question_file(&q, file);
	if (another)
		denied = preset_ask(slot, PRESET_PROTECT_PROC, &q);
	if (environ && !denied)
		denied = preset_ask(slot, PRESET_PROTECT_ENV, &q);
	if (memory && !denied)
		denied = preset_ask(slot, PRESET_ANONYMOUS_MAP_EXEC, &q);
	return judge_end(slot, denied, EACCES);
}

/* The kernel does not ask about threads of one process. The current task is the one that traces, or asks to be traced. */
static __always_inline int ptrace_check(struct task_struct *child, u32 mode, u32 asked)
{
	struct question q = { .domain = DOMAIN_PROCESS, .operation = OPERATION_PTRACE, .asked = asked };
	u32 slot = preset_begin(1 << PRESET_PROTECT_PROC);
	struct file *file;

	if (slot == NO_RULES)
		return 0;
	file = BPF_CORE_READ(child, mm, exe_file);
	if (file)
		question_file(&q, file);
	q.mode = mode;
	if (mode & PTRACE_MODE_NOAUDIT)
		q.asked |= ASK_QUIET;
	return judge_end(slot, preset_ask(slot, PRESET_PROTECT_PROC, &q), EACCES);
}

/* Whether the task is in a cgroup or below it. */
static __always_inline bool enter_is_in(struct task_struct *task, u64 cgroup)
{
	struct css_set___preset *set = (void *)BPF_CORE_READ(task, cgroups);
	struct cgroup___preset *at = BPF_CORE_READ(set, dfl_cgrp);
	struct cgroup_subsys_state *up;

	for (u32 i = 0; i < CGROUP_DEPTH; i++) {
		if (BPF_CORE_READ(at, kn, id) == cgroup)
			return true;
		up = BPF_CORE_READ(at, self.parent);
		if (!up)
			return false;
		at = BPF_CORE_READ(up, cgroup);
	}
	return false;
}

/* Whether the task's process is all that its cgroup has. */
static __always_inline bool enter_is_alone(struct task_struct *task)
{
	struct css_set___preset *set = (void *)BPF_CORE_READ(task, cgroups);
	struct signal_struct___preset *process = (void *)BPF_CORE_READ(task, signal);

	return BPF_CORE_READ(set, nr_tasks) == BPF_CORE_READ(process, nr_threads);
}

/*
 * A process that somebody outside has put into the workload: its parent is neither in the workload nor in its pid
 * namespace. The workload's own first process is made so, too. It is the first one of its pid namespace; and where that is
 * one of several containers, of which the first process is elsewhere, nobody else is in the workload yet.
 */
static __always_inline bool enter_from_outside(struct task_struct *task, struct task_struct *parent, u64 ns, u64 cgroup)
{
	struct task_struct *first = BPF_CORE_READ((struct pid_namespace___preset *)ns, child_reaper);

	if (enter_is_in(parent, cgroup))
		return false;
	return enter_is_in(first, cgroup) || !enter_is_alone(task);
}

static __always_inline int enter_check(struct linux_binprm *bprm, u32 asked)
{
	struct question q = { .domain = DOMAIN_PROCESS, .operation = OPERATION_EXEC, .asked = asked };
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	u32 level = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID], level), slot;
	u64 ns = task_pid_namespace(task, level);
	struct scratch *s;
	bool denied;

	if (task_pid_at(task, level, 0) == 1 || task_pid_at(parent, level, ns))
		return 0;
	/* A script was asked about; this is its interpreter. */
	if (BPF_CORE_READ(bprm, interp) != BPF_CORE_READ(bprm, filename))
		return 0;
	slot = preset_begin(1 << PRESET_EXEC);
	if (slot == NO_RULES)
		return 0;
	s = scratch_at(slot);
	question_file(&q, BPF_CORE_READ(bprm, file));
	denied = enter_from_outside(task, parent, ns, s ? s->cgroup : 0) && preset_ask(slot, PRESET_EXEC, &q);
	return judge_end(slot, denied, EACCES);
}

/* Most files are of other file systems: they are told apart without a helper. */
SEC("lsm/file_open")
int BPF_PROG(proc_enforce, struct file *file, int ret)
{
	if (ret || ((struct file___preset *)file)->f_inode->i_sb->s_magic != PROC_SUPER_MAGIC)
		return ret;
	return proc_check(file, ASK_ENFORCE);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(ptrace_enforce, struct task_struct *child, unsigned int mode, int ret)
{
	return ret ? ret : ptrace_check(child, mode, ASK_ENFORCE);
}

/* Whoever lets its parent trace it is as open to it. */
SEC("lsm/ptrace_traceme")
int BPF_PROG(traceme_enforce, struct task_struct *parent, int ret)
{
	return ret ? ret : ptrace_check((void *)bpf_get_current_task(), 0, ASK_ENFORCE);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(enter_enforce, struct linux_binprm *bprm, int ret)
{
	return ret ? ret : enter_check(bprm, ASK_ENFORCE);
}

SEC("kprobe/security_file_open")
int BPF_KPROBE(proc_observe, struct file *file)
{
	if (BPF_CORE_READ((struct file___preset *)file, f_inode, i_sb, s_magic) == PROC_SUPER_MAGIC)
		proc_check(file, 0);
	return 0;
}

SEC("kprobe/security_ptrace_access_check")
int BPF_KPROBE(ptrace_observe, struct task_struct *child, unsigned int mode)
{
	ptrace_check(child, mode, 0);
	return 0;
}

SEC("kprobe/security_ptrace_traceme")
int BPF_KPROBE(traceme_observe, struct task_struct *parent)
{
	ptrace_check((void *)bpf_get_current_task(), 0, 0);
	return 0;
}

SEC("kprobe/security_bprm_check")
int BPF_KPROBE(enter_observe, struct linux_binprm *bprm)
{
	enter_check(bprm, 0);
	return 0;
}
