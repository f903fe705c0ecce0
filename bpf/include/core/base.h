/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/* What every program of the core begins with. */
#ifndef CORE_BASE_H
#define CORE_BASE_H

#include "../vmlinux/vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* LSM programs use helpers that the kernel keeps to GPL-compatible ones. */
char core_license[] SEC("license") = "Dual BSD/GPL";

#endif
