/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Words of the contract with internal/policy/compile and internal/sensor. */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

enum domain {
	DOMAIN_PROCESS = 1,
	DOMAIN_FILE = 2,
	DOMAIN_NETWORK = 3,
	DOMAIN_CAPABILITIES = 4,
	DOMAIN_DNS = 5,
	DOMAIN_SYSCALLS = 6,
	DOMAINS = 8,
};

enum action {
	ACTION_NONE = 0,
	ACTION_ALLOW = 1,
	ACTION_AUDIT = 2,
	ACTION_BLOCK = 3,
};

/*
 * What rules of one rank say together: the greatest. Posture is an Allow rule whose conditions are not met: it decides,
 * and what it decides is that nothing but the posture applies.
 */
enum outcome {
	OUTCOME_NONE = 0,
	OUTCOME_POSTURE = 1,
	OUTCOME_ALLOW = 2,
	OUTCOME_AUDIT = 3,
	OUTCOME_BLOCK = 4,
};

/* Conditions of a rule, and what an operation meets of them. */
enum condition {
	CONDITION_OWNER = 1 << 0,
	CONDITION_READ = 1 << 1,
	CONDITION_NO_TERMINAL = 1 << 2,
	CONDITION_ARGUMENTS = 1 << 3,
};

enum operation {
	OPERATION_EXEC = 1,
	OPERATION_OPEN = 2,
	OPERATION_CREATE = 3,
	OPERATION_UNLINK = 4,
	OPERATION_MKDIR = 5,
	OPERATION_RMDIR = 6,
	OPERATION_RENAME = 7,
	OPERATION_LINK = 8,
	OPERATION_SYMLINK = 9,
	OPERATION_CHMOD = 10,
	OPERATION_CHOWN = 11,
	OPERATION_TRUNCATE = 12,
	OPERATION_SETATTR = 13,
	OPERATION_SOCKET_CREATE = 14,
	OPERATION_SOCKET_BIND = 15,
	OPERATION_SOCKET_LISTEN = 16,
	OPERATION_SOCKET_CONNECT = 17,
	OPERATION_SOCKET_ACCEPT = 18,
	OPERATION_SOCKET_SENDMSG = 19,
	OPERATION_CAPABLE = 20,
	OPERATION_LOOKUP = 21,
	OPERATION_SYSCALL = 32,
};

/* The rules of verdicts that no rule made: on a path that could not be resolved, and on what an allow-list does not name. */
#define RULE_UNRESOLVED (~0ULL)
#define RULE_POSTURE (~0ULL - 1)

/* Why a path could not be resolved. */
enum path_status {
	PATH_RESOLVED = 0,
	/* Over PATH_BYTES or PATH_COMPONENTS. */
	PATH_TOO_LONG = 1,
	/* More mounts on top of each other than MOUNT_CROSSINGS. */
	PATH_TOO_MANY_MOUNTS = 2,
	/* The mount is in no mount namespace: lazily unmounted, or never attached. */
	PATH_DETACHED = 3,
	/* The dentry is not below its mount's root: moved out of a bind mount, or opened by a handle. */
	PATH_UNREACHABLE = 4,
	/* Memory that the kernel would not let us read. */
	PATH_FAULT = 5,
	/* No scratch slot was free. */
	PATH_BUSY = 6,
	/* Of a DNS query: its question could not be read. */
	PATH_NO_QUESTION = 7,
};

/* What a path names. */
enum path_kind {
	PATH_FILE = 0,
	/* Unlinked: the kernel shows it with " (deleted)". */
	PATH_DELETED = 1,
	/* A pipe, namespace and so on: it has a file system and an inode, no path. */
	PATH_OBJECT = 2,
	/* A memfd: the kernel shows a name that its maker chose, with " (deleted)"; no rule can mean it. */
	PATH_MEMORY = 3,
};

#endif
