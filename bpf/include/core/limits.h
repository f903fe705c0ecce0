/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* Sizes that the programs and their loader share. */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

/* PATH_MAX; a component is at least one byte and its slash. */
#define PATH_BYTES 4096
#define PATH_COMPONENTS 2048
/* NAME_MAX */
#define NAME_BYTES 255
/* Mounts that may lie on top of each other on the way up, besides the components. */
#define MOUNT_CROSSINGS 128
/*
 * A loop over a path is two nested ones, each verified once: its cost to the verifier is the sum, not the product. Each
 * is a function of its own with as little else in it as possible, as 5.10 follows all of that in each round.
 */
#define LOOP_STEPS 16

/*
 * In front of a loop around calls: one place that calls. The kernel follows each path through the calls to see how deep
 * the stack gets, and where loops of 16 calls of functions with such loops are unrolled, there are 10^5 of them.
 */
#define CALLS_IN_ONE_PLACE _Pragma("clang loop unroll(disable)")
/* Levels of the cgroup hierarchy at which workloads are bound. */
#define CGROUP_LEVELS 16
/* Tasks of one CPU that find room for a path without an allocation, and for a whole event. */
#define SCRATCH_SLOTS 8
#define REPORT_SLOTS 2
/* For tasks of all CPUs together, where both those and task storage fail. */
#define SPARE_SLOTS 32

/* Sets of tables that may be there at one time: the one in force, and the one that is being made. */
#define TABLE_SLOTS 2
/* Entries of one bucket of the rules. */
#define BUCKET_ENTRIES 4
/* Rules that compete for one key. */
#define RULE_VARIANTS 8
/* Cells of one page of an automaton, and the bits of an address that do not say which page. */
#define PAGE_CELLS 1024
#define PAGE_SHIFT 10

/* Arguments of a program that are compared, the bytes of one, and those that are read in one go. */
#define ARGUMENTS 1024
#define ARGUMENT_BYTES 4096
#define ARGUMENT_CHUNK 64
/* What is left of a script's path when its arguments are known. */
#define PENDING_PATH 256

#define SIGKILL 9
#define EPERM 1
#define EACCES 13

#endif
