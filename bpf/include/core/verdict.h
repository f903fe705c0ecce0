/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Words of the contract with internal/policy/compile and internal/sensor. */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

enum domain {
	DOMAIN_PROCESS = 1,
	DOMAIN_FILE = 2,
};

enum action {
	ACTION_NONE = 0,
	ACTION_ALLOW = 1,
	ACTION_AUDIT = 2,
	ACTION_BLOCK = 3,
};

enum operation {
	OPERATION_EXEC = 1,
	OPERATION_OPEN = 2,
};

/* The rule of a verdict on a path that could not be resolved. */
#define RULE_UNRESOLVED (~0ULL)

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
};

/* What a path names. */
enum path_kind {
	PATH_FILE = 0,
	/* Unlinked or memfd: the kernel shows it with " (deleted)". */
	PATH_DELETED = 1,
	/* A pipe, namespace and so on: it has a file system and an inode, no path. */
	PATH_OBJECT = 2,
};

#endif
