/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * The patterns of each profile and domain as one automaton over the bytes of a path. An automaton is a map from bytes to
 * columns, 64 cells at the start of a page, and rows of cells: what a row accepts with, then the next row for each
 * column. A row lies in one page; its address counts cells from the start of the table; 0 is the row that nothing leaves.
 */
#ifndef CORE_AUTOMATA_H
#define CORE_AUTOMATA_H

#include "scratch.h"

struct automata_page {
	u32 cells[PAGE_CELLS];
};

/* Sizes, not types: the compiler leaves the types of an inner map out of BTF. max_entries is set for each set of tables. */
struct automata_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct automata_page));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TABLE_SLOTS);
	__type(key, u32);
	__array(values, struct automata_table);
} automata SEC(".maps");

/* Bytes that are read in one go; more of them cost the verifier more. */
#define BYTE_STEPS 16

enum automaton { AUTOMATON_ON = 0, AUTOMATON_END = 1 };

static __always_inline struct automata_page *automata_page(void *table, u32 address)
{
	u32 page = address >> PAGE_SHIFT;

	return bpf_map_lookup_elem(table, &page);
}

/* Reads up to BYTE_STEPS bytes of the path. At its end s->accept is what it is accepted with. */
__noinline int automaton_steps(u32 slot)
{
	struct scratch *s = scratch_inline(slot);
	struct automata_page *classes, *page;
	u32 row, next, at, class, first;
	void *table;

	if (!s)
		return AUTOMATON_END;
	table = bpf_map_lookup_elem(&automata, &s->binding.tables);
	if (!table)
		return AUTOMATON_END;
	first = s->classes;
	row = s->row;
	at = s->offset;
	classes = automata_page(table, first);
	page = automata_page(table, row);
	if (!classes || !page)
		return AUTOMATON_END;
	first = (first & (PAGE_CELLS - 1)) * sizeof(u32);
	for (u32 i = 0; i < BYTE_STEPS; i++, at++) {
		if (at >= PATH_BYTES) {
			s->accept = page->cells[row & (PAGE_CELLS - 1)];
			return AUTOMATON_END;
		}
		/* So that the compiler does not drop a mask that only the verifier needs. */
		asm volatile("" : "+r"(at));
		class = ((u8 *)classes)[(first + s->path[at & (PATH_BYTES - 1)]) & (sizeof(*page) - 1)];
		next = page->cells[(row + 1 + class) & (PAGE_CELLS - 1)];
		if (!next)
			return AUTOMATON_END;
		if (next >> PAGE_SHIFT != row >> PAGE_SHIFT) {
			page = automata_page(table, next);
			if (!page)
				return AUTOMATON_END;
		}
		row = next;
	}
	s->row = row;
	s->offset = at;
	return AUTOMATON_ON;
}

__noinline int automaton_all(u32 slot)
{
	CALLS_IN_ONE_PLACE
	for (u32 i = 0; i <= PATH_BYTES / BYTE_STEPS; i++) {
		if (automaton_steps(slot))
			return AUTOMATON_END;
	}
	return AUTOMATON_ON;
}

/* What the automaton of the domain accepts the path in the slot with; 0 if no pattern matches. */
__noinline int automaton_run(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 domain;

	if (!s)
		return 0;
	domain = (s->domain - 1) & 1;
	s->classes = s->binding.automaton[domain];
	s->row = s->binding.start[domain];
	s->offset = s->start;
	s->accept = 0;
	if (!s->classes || !s->row)
		return 0;
	/* The root, whose path has no component, is one slash. */
	if (!s->components) {
		s->offset = PATH_BYTES - 1;
		s->path[PATH_BYTES - 1] = '/';
	}
	automaton_all(slot);
	return s->accept;
}

#endif
