// SPDX-License-Identifier: Apache-2.0

// Package script is what a test and its worker inside of a machine tell each other: what to do under which policies, and
// what came of it.
package script

import "encoding/json"

// Worker is where the worker is inside of a machine: the source of operations that name none.
const Worker = "/opt/worker"

// Operation is one that a process attempts.
type Operation struct {
	// Op is a kind of internal/policy/model: exec, read, …
	Op, Path, NewPath string
	// Source is the path of a copy of the worker, which does it; Worker if it is empty.
	Source string
	Args   []string
	// UID of the process, and Owner of the file or folder.
	UID, Owner uint32
	// Terminal: the process gets one of its own.
	Terminal bool
	// Memory: the program that is executed or mapped is in no file. Unlinked: its file is deleted first.
	Memory, Unlinked bool
	// Family, Type and Protocol of a socket, as numbers of the kernel.
	Family, Type, Protocol int
	Capability             string
	// Domain that is looked up.
	Domain string
}

// Run is one `karmor run`.
type Run struct {
	// Name of the run, for people.
	Name string
	// Flags of karmor run, before the worker's command.
	Flags      []string
	Operations []Operation
}

// Result of an operation.
type Result struct {
	// PID of the process that did it.
	PID int
	// Errno that the operation ended with, 0 when it succeeded.
	Errno int
	// Killed: the program was executed, and killed before its first instruction: its arguments forbid it, and those can be
	// read only when it is too late for an errno.
	Killed bool
	// Problem is why it was not even attempted.
	Problem string
}

// Report of a run.
type Report struct {
	Name    string
	Code    int
	Notes   string
	Results []Result
	// Alerts that karmor wrote, each one JSON object.
	Alerts []json.RawMessage
	// LeftBehind are cgroups, pins and processes that are there after the run and were not before.
	LeftBehind []string
}
