//go:build ignore

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * Which system calls are made. They are reported and never denied.
 *
 * Hook:   the tracepoint sys_enter, of every call of every task. It is attached while any policy of the node has rules on
 *         system calls, and at no other time. What seccomp refuses does not come here.
 * Maps:   shared with the other programs
 * Kernel: 5.10 and later
 */
#include "core/base.h"
#include "core/judge.h"
#include "core/words.h"

/* Calls by how they are made and by number, as in internal/policy/syscalls: one more than the code, 0 for none. */
#define CALL_NUMBERS 1024

enum { CALL_NATIVE = 0, CALL_COMPAT = 1 };

const volatile u16 call_codes[2][CALL_NUMBERS];

struct thread_info___of_calls {
	unsigned long flags;
	u32 status;
} __attribute__((preserve_access_index));

struct task_struct___of_calls {
	struct thread_info___of_calls thread_info;
} __attribute__((preserve_access_index));

#if defined(__TARGET_ARCH_x86)

/* The call came by int 0x80 or sysenter; whether the program is a 32-bit one does not matter. */
#define TS_COMPAT 2
/* In the number, of a program with 32-bit pointers. */
#define X32_BIT 0x40000000

static __always_inline u32 call_how(void)
{
	struct task_struct___of_calls *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT ? CALL_COMPAT : CALL_NATIVE;
}

#else

#define TIF_32BIT 22
#define X32_BIT 0

static __always_inline u32 call_how(void)
{
	struct task_struct___of_calls *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_info.flags) & (1UL << TIF_32BIT) ? CALL_COMPAT : CALL_NATIVE;
}

#endif

/* The call's code and one; 0 for one that no rule can name. */
static __always_inline u32 call_word(u32 how, u32 number)
{
	u32 at = (how & 1) * CALL_NUMBERS + number;

	if (number >= CALL_NUMBERS)
		return 0;
	/* The compiler knows by now that this is inside, and the verifier of some kernels does not. */
	asm volatile("" : "+r"(at));
	return ((const volatile u16 *)call_codes)[at & (2 * CALL_NUMBERS - 1)];
}

/* The rule on the call for the executable, whose path is in the slot: that names it, or the deepest directory it is in. */
static __always_inline bool call_from(struct scratch *s, u32 slot, u32 word)
{
	s->source = word;
	match(s, slot, s->binding.call_depths, false);
	if (s->status != PATH_RESOLVED)
		return false;
	return decide_found(s, RULE_EXACT, chain(s, slot, RULE_EXACT, word)) || decide_directory(s, 1);
}

static __always_inline bool call_source(struct scratch *s, u32 slot, u32 word)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file = BPF_CORE_READ(task, mm, exe_file);

	if (!(domain_flags(&s->binding, DOMAIN_SYSCALLS) & DOMAIN_SOURCES) || !file)
		return false;
	walk_file(s, slot, file);
	if (s->status != PATH_RESOLVED) {
		count(COUNT_SOURCES_UNKNOWN);
		return false;
	}
	return (s->kind == PATH_FILE || s->kind == PATH_DELETED) && call_from(s, slot, word);
}

/*
 * Answers the question in the slot, about the call in s->words. Rules for certain executables are kept by their paths,
 * with the call in the place where others have a class of source.
 */
static __always_inline void call_answer(struct scratch *s, u32 slot)
{
	u32 word = s->words[0];

	s->rule = 0;
	s->outcome = OUTCOME_NONE;
	s->decided = 0;
	s->met = 0;
	s->words_kind = RULE_SYSCALL;
	if (!call_source(s, slot, word))
		decide_found(s, RULE_SYSCALL, words_chain(s, slot, 0, 0));
	path_begin(s);
	answer_outcome(s);
}

__noinline int call_judge(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	call_answer(s, slot);
	if (s->action >= ACTION_AUDIT)
		judge_report(s, slot);
	return 0;
}

/* Asks about a call that a rule may be for. Without room for that nothing is known of it: it is counted, and no event. */
__noinline int call_ask(u32 how, u32 number)
{
	u64 cgroup = 0;
	struct binding *b = binding_of_current(&cgroup);
	struct scratch *s;
	u32 slot;

	if (!b)
		return 0;
	slot = judge_slot(b, cgroup);
	s = scratch_at(slot);
	if (!s) {
		count(PATH_BUSY);
		return 0;
	}
	s->domain = DOMAIN_SYSCALLS;
	s->operation = OPERATION_SYSCALL;
	s->asked = 0;
	s->flags = how;
	s->mode = number;
	s->object_dentry = 0;
	s->words[0] = call_word(how, number);
	call_judge(slot);
	judge_end(slot, false, 0);
	return 0;
}

/* Most calls end here: the profile has no rule on any of those that share a bit with this one. */
static __always_inline int call_check(long id)
{
	u32 how = call_how(), number = how == CALL_NATIVE ? id & ~X32_BIT : id, word = call_word(how, number);
	u64 cgroup = 0;
	struct binding *b;

	if (!word)
		return 0;
	b = binding_of_current(&cgroup);
	if (!b || !(b->calls & 1ULL << ((word - 1) & 63)))
		return 0;
	return call_ask(how, number);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_enforce, struct pt_regs *registers, long id)
{
	return call_check(id);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_observe, struct pt_regs *registers, long id)
{
	return call_check(id);
}

/* Answers on the call in slot 0 by the current task, for tests at native speed, as those of bpf/match. */
SEC("socket")
int call_run(struct __sk_buff *skb)
{
	struct scratch *s = scratch_at(0);

	if (s)
		call_answer(s, 0);
	return 0;
}

/* Sees the call whose number is the packet's length as the tracepoint would, also for tests. */
SEC("socket")
int call_seen(struct __sk_buff *skb)
{
	return call_check(skb->len);
}
