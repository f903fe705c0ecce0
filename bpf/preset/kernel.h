/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* What presets alone read of the kernel's types; offsets are relocated at load time, and what follows ___ is no name there. */
#ifndef PRESET_KERNEL_H
#define PRESET_KERNEL_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block___preset {
	unsigned long s_flags;
	unsigned long s_magic;
};

struct inode___preset {
	unsigned short i_mode;
	unsigned int i_nlink;
	struct super_block___preset *i_sb;
};

struct file___preset {
	struct inode___preset *f_inode;
};

struct vm_area_struct {
	unsigned long vm_flags;
	struct anon_vma *anon_vma;
	struct file *vm_file;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

/* PIDTYPE_PID is 0. */
struct pid___preset {
	struct hlist_head tasks[1];
};

struct task_struct___preset {
	struct hlist_node pid_links[1];
	int tgid;
};

struct signal_struct___preset {
	int nr_threads;
};

struct proc_inode {
	struct pid___preset *pid;
	struct inode___preset vfs_inode;
};

struct pid_namespace___preset {
	struct task_struct *child_reaper;
};

struct cgroup_subsys_state {
	struct cgroup___preset *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup___preset {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set___preset {
	struct cgroup___preset *dfl_cgrp;
	int nr_tasks;
};

#pragma clang attribute pop

#endif
