// SPDX-License-Identifier: Apache-2.0

// Package owner is the core's program for changes of a file's owner on kernels before 6.1, as compiled objects and their
// Go bindings.
package owner

//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package owner -output-stem owner -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" -type event -type binding -type rule_entry -type scratch Owner owner.bpf.c
