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
/* A loop over a path is two nested ones, each verified once: its cost to the verifier is the sum, not the product. */
#define LOOP_STEPS 64
/* Levels of the cgroup hierarchy at which workloads are bound. */
#define CGROUP_LEVELS 16
/* Tasks of one CPU that find room for a path without an allocation, and for a whole event. */
#define SCRATCH_SLOTS 8
#define REPORT_SLOTS 2
/* For tasks of all CPUs together, where both those and task storage fail. */
#define SPARE_SLOTS 32

#define EACCES 13

#endif
