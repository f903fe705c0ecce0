/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Who the current task is: its ids outside and inside of its pid namespace. */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "events.h"

#define PIDTYPE_TGID 1

/* The process id of a task as the pid namespace of that level shows it; 0 where the task is not in it. */
static __always_inline u32 task_pid_at(struct task_struct *task, u32 level, u64 ns)
{
	struct pid *pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	struct upid *upid;

	if (level > BPF_CORE_READ(pid, level))
		return 0;
	upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
	if (ns && (u64)BPF_CORE_READ(upid, ns) != ns)
		return 0;
	return BPF_CORE_READ(upid, nr);
}

static __always_inline u64 task_pid_namespace(struct task_struct *task, u32 level)
{
	struct pid *pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	struct upid *upid;

	upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
	return (u64)BPF_CORE_READ(upid, ns);
}

static __always_inline void task_describe(struct event *e)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	u32 level = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID], level);

	/* Read from the task: the helpers for the current one are not open to programs of all types. */
	e->host_pid = BPF_CORE_READ(task, tgid);
	e->host_ppid = BPF_CORE_READ(parent, tgid);
	e->pid = task_pid_at(task, level, 0);
	e->ppid = task_pid_at(parent, level, task_pid_namespace(task, level));
	e->uid = BPF_CORE_READ(task, cred, uid.val);
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), __builtin_preserve_access_index(&task->comm));
}

#endif
