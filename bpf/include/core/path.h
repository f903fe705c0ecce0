/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Assembly of a path from its last component to its first. */
#ifndef CORE_PATH_H
#define CORE_PATH_H

#include "scratch.h"
#include "verdict.h"

static __always_inline void path_begin(struct scratch *s)
{
	s->start = PATH_BYTES;
	s->components = 0;
	s->status = PATH_RESOLVED;
	s->kind = PATH_FILE;
	s->inode = 0;
	s->magic = 0;
}

/* Makes room for "/name" before what is there; at is where the name belongs. */
static __always_inline int path_room(struct scratch *s, u32 length, u32 *at)
{
	u32 start = s->start;
	u32 n = s->components;

	if (length == 0 || length > NAME_BYTES || start < length + 1 || n >= PATH_COMPONENTS)
		return PATH_TOO_LONG;
	start -= length + 1;
	s->start = start;
	s->components = n + 1;
	s->lengths[n & (PATH_COMPONENTS - 1)] = length;
	start &= PATH_BYTES - 1;
	s->path[start] = '/';
	*at = start + 1;
	return PATH_RESOLVED;
}

/* Puts "/name" before what is there. */
static __always_inline int path_prepend(struct scratch *s, const void *name, u32 length)
{
	u32 at;
	int err = path_room(s, length, &at);

	if (err)
		return err;
	if (bpf_probe_read_kernel(&s->path[at], length & NAME_BYTES, name))
		return PATH_FAULT;
	return PATH_RESOLVED;
}

#endif
