// SPDX-License-Identifier: Apache-2.0

package sensor

// Stats is the core's state, read out of the kernel.
type Stats struct {
	Mode Mode
	// Generation in force; zero before the first Apply.
	Generation uint64
	Programs   []Program
	Tables     []Table
	// Drops counts, by cause, what could not be judged or reported since the tables were made.
	Drops map[string]uint64
}

// Program is one attached program.
type Program struct {
	Name string
	// Hook it is attached to, for instance "lsm/file_open".
	Hook                 string
	ID                   uint32
	VerifiedInstructions uint32
}

// Table is the fill of one kernel table.
type Table struct {
	Name           string
	Used, Capacity uint32
}
