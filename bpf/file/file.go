// SPDX-License-Identifier: Apache-2.0

// Package file is the core's program for file opening, as compiled objects and their Go bindings.
package file

//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package file -output-stem file -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" -type event -type binding -type rule_entry -type scratch File file.bpf.c
