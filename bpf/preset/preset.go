// SPDX-License-Identifier: Apache-2.0

// Package preset is the core's programs for the presets, as compiled objects and their Go bindings.
package preset

//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package preset -output-stem memory -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" Memory memory.bpf.c
//go:generate go tool -modfile=../../go.tools.mod bpf2go -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -go-package preset -output-stem process -cflags "-O2 -g -Wall -Werror -mcpu=v3 -I../include" Process process.bpf.c
