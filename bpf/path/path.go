// SPDX-License-Identifier: Apache-2.0

// Package path is the core's program for what is done to files by their names, as compiled objects and their Go bindings.
package path

//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package path -output-stem path -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" -type event -type binding -type rule_entry -type scratch Path path.bpf.c
