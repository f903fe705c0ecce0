// SPDX-License-Identifier: Apache-2.0

// Package match is the core's path assembly and decisions as programs of their own, which tests and benchmarks run
// without attaching anything.
package match

//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package match -output-stem match -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" -type binding -type rule_entry -type scratch Match match.bpf.c
