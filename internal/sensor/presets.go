// SPDX-License-Identifier: Apache-2.0

package sensor

// The operations that presets alone have a word on: memory that becomes executable, and another process's memory.
const (
	OperationMmap     = "mmap"
	OperationMprotect = "mprotect"
	OperationPtrace   = "ptrace"
)

// anonymousMemory is the resource of a mapping that no file is behind.
const anonymousMemory = "anonymous memory"
