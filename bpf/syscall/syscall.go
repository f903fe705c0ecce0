// SPDX-License-Identifier: Apache-2.0

// Package syscall is the core's program for system calls, as compiled objects and their Go bindings.
package syscall

//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package syscall -output-stem syscall -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" -type event -type binding -type rule_entry -type scratch Syscall syscall.bpf.c
