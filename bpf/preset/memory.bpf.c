//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The presets filelessExec and anonymousMapExec: code that is in no file.
 *
 * Hooks:  security_bprm_check, security_mmap_file (also for memory without a file, and for shmat), security_file_mprotect
 * Maps:   shared with the other programs
 * Kernel: 5.10 and later; LSM attachment needs 6.4 on arm64, the kprobes do not
 */
#include "core/base.h"
#include "core/presets.h"
#include "kernel.h"

#define SB_KERNMOUNT (1 << 22)
#define S_IFREG 0100000
#define PROT_WRITE 0x2
#define PROT_EXEC 0x4
#define MAP_SHARED 0x1
#define VM_EXEC 0x4
#define VM_SHARED 0x8

/* Whether the mount is in nobody's tree: lazily unmounted, or never attached. */
static __always_inline bool memory_detached(struct file *file)
{
	struct mount *mount = (void *)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
	u64 ns = (u64)BPF_CORE_READ(mount, mnt_ns);

	return !ns || (ns != MNT_NS_INTERNAL && fix_anonymous_mount_namespace((void *)ns));
}

/*
 * A file that nobody finds by a name: unlinked, never linked (O_TMPFILE, memfd), on a file system that the kernel mounted
 * for itself (shared memory), or in a mount that is nowhere.
 */
static __always_inline bool memory_nameless(struct file *file)
{
	struct inode___preset *inode = BPF_CORE_READ((struct file___preset *)file, f_inode);

	if (memory_detached(file))
		return true;
	return !BPF_CORE_READ(inode, i_nlink) || BPF_CORE_READ(inode, i_sb, s_flags) & SB_KERNMOUNT;
}

/* A mapped device is memory: /dev/zero is the classical way to get some. */
static __always_inline bool memory_regular(struct file *file)
{
	return (BPF_CORE_READ((struct file___preset *)file, f_inode, i_mode) & S_IFMT) == S_IFREG;
}

/* Asks both presets about what has no name, and one about what else is not as in its file. */
static __always_inline int memory_ask(struct question *q, struct file *file, bool nameless)
{
	u32 slot = preset_begin(1 << PRESET_ANONYMOUS_MAP_EXEC | (nameless ? 1 << PRESET_FILELESS_EXEC : 0));
	bool denied = false;

	if (slot == NO_RULES)
		return 0;
	if (file)
		question_file(q, file);
	if (nameless)
		denied = preset_ask(slot, PRESET_FILELESS_EXEC, q);
	if (!denied)
		denied = preset_ask(slot, PRESET_ANONYMOUS_MAP_EXEC, q);
	return judge_end(slot, denied, EACCES);
}

/* The program loader maps what is executed, when it is too late to fail: so this is asked before. */
static __always_inline int fileless_check(struct linux_binprm *bprm, u32 asked)
{
	struct question q = { .domain = DOMAIN_PROCESS, .operation = OPERATION_EXEC, .asked = asked };
	struct file *file = BPF_CORE_READ(bprm, file);

	return memory_nameless(file) ? memory_ask(&q, file, true) : 0;
}

/* Memory that becomes executable. */
struct mapping {
	/* Or 0. */
	struct file *file;
	u32 operation;
	bool shared;
	bool writable;
	/* Some of it is not as in the file any more. */
	bool changed;
};

static __always_inline int mapping_check(const struct mapping *m, u32 asked)
{
	struct question q = { .domain = DOMAIN_PROCESS, .operation = m->operation, .asked = asked };
	bool nameless = m->file && memory_nameless(m->file);
	bool anonymous = !m->file || nameless || m->changed || (m->writable && !m->shared) || !memory_regular(m->file);

	return anonymous ? memory_ask(&q, m->file, nameless) : 0;
}

static __always_inline int map_check(struct file *file, u64 prot, u64 flags, u32 asked)
{
	struct mapping m = {
		.file = file, .operation = OPERATION_MMAP, .shared = flags & MAP_SHARED, .writable = prot & PROT_WRITE,
	};

	return mapping_check(&m, asked);
}

static __always_inline int protect_check(struct vm_area_struct *vma, u64 prot, u32 asked)
{
	u64 flags = BPF_CORE_READ(vma, vm_flags);
	struct mapping m = { .operation = OPERATION_MPROTECT, .shared = flags & VM_SHARED, .writable = prot & PROT_WRITE };

	/* It is executable already, and does not become writable. */
	if (flags & VM_EXEC && !m.writable)
		return 0;
	m.file = BPF_CORE_READ(vma, vm_file);
	m.changed = m.file && BPF_CORE_READ(vma, anon_vma);
	return mapping_check(&m, asked);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(fileless_enforce, struct linux_binprm *bprm, int ret)
{
	return ret ? ret : fileless_check(bprm, ASK_ENFORCE);
}

/* The arguments are file, reqprot, prot, flags. */
SEC("lsm/mmap_file")
int map_enforce(unsigned long long *ctx)
{
	u64 prot = ctx[2], file = 0;
	int ret = ctx[4];

	if (ret || !(prot & PROT_EXEC))
		return ret;
	/*
	 * Read as a number: until ea2d0f0 ("Make bpf_lsm_mmap_file's file param nullable") verifiers hold that there is
	 * always a file, and take the test for none out.
	 */
	bpf_probe_read_kernel(&file, sizeof(file), &ctx[0]);
	return map_check((void *)file, prot, ctx[3], ASK_ENFORCE);
}

SEC("lsm/file_mprotect")
int BPF_PROG(protect_enforce, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	if (ret || !(prot & PROT_EXEC))
		return ret;
	return protect_check(vma, prot, ASK_ENFORCE);
}

SEC("kprobe/security_bprm_check")
int BPF_KPROBE(fileless_observe, struct linux_binprm *bprm)
{
	fileless_check(bprm, 0);
	return 0;
}

/* What the process asks for: the personality that makes everything readable executable is not taken into account. */
SEC("kprobe/security_mmap_file")
int BPF_KPROBE(map_observe, struct file *file, unsigned long prot, unsigned long flags)
{
	if (prot & PROT_EXEC)
		map_check(file, prot, flags, 0);
	return 0;
}

SEC("kprobe/security_file_mprotect")
int BPF_KPROBE(protect_observe, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot)
{
	if (prot & PROT_EXEC)
		protect_check(vma, prot, 0);
	return 0;
}
