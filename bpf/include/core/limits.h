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
/* Tasks that may be inside the core on one CPU at one time. */
#define SCRATCH_SLOTS 4

#define EACCES 13

#endif
