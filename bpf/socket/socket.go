// SPDX-License-Identifier: Apache-2.0

// Package socket is the core's program for sockets, as compiled objects and their Go bindings.
package socket

//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package socket -output-stem socket -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" -type ends -type event -type binding -type rule_entry -type scratch Socket socket.bpf.c
