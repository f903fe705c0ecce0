// SPDX-License-Identifier: Apache-2.0

package sensor

import "fmt"

// Reasons why a node cannot run the core. They equal the reasons of api/operator/v1.
const (
	ReasonKernelTooOld     = "KernelTooOld"
	ReasonNoBTF            = "NoBTF"
	ReasonLSMInactive      = "LSMInactive"
	ReasonVerifierRejected = "VerifierRejected"
	ReasonAttachRefused    = "AttachRefused"
	ReasonDenialNotSeen    = "DenialNotSeen"
	ReasonCgroupV1         = "CgroupV1"
	ReasonNoBPFFS          = "NoBPFFS"
	ReasonPermissionDenied = "PermissionDenied"
	ReasonTableFull        = "TableFull"
	ReasonProbeFailed      = "ProbeFailed"
	ReasonCoreLoadFailed   = "CoreLoadFailed"
	ReasonTimedOut         = "TimedOut"
)

// TableFullError says that a kernel table cannot hold a set of policies. The previous set stays in force.
type TableFullError struct {
	Table          string
	Need, Capacity int
	// Folders are those of the entries that stand for folders above what Block rules name.
	Folders int
}

func (e *TableFullError) Error() string {
	text := fmt.Sprintf("table %q holds %d entries and the policies need %d", e.Table, e.Capacity, e.Need)
	switch {
	case e.Table == tableAutomata:
		return fmt.Sprintf("table %q holds %d pages of 4 KiB and the policies need %d: use fewer globs, or paths and directories instead", e.Table, e.Capacity, e.Need)
	case e.Folders > e.Need/2:
		return text + fmt.Sprintf(", %d of them for folders around what Block rules name, which must keep their names: "+
			"block whole directories instead of files deep inside them", e.Folders)
	}
	return text + ": select fewer workloads or use fewer rules"
}

// LoadError is why Open failed: one of the reasons above, and the kernel's answer.
type LoadError struct {
	Reason string
	// Cause in a sentence for people.
	Cause string
	Err   error
}

func (e *LoadError) Error() string { return explain("load core", e.Reason, e.Cause, e.Err) }
func (e *LoadError) Unwrap() error { return e.Err }

// CanaryError is why the canary was not seen.
type CanaryError struct {
	Reason string
	// Cause in a sentence for people.
	Cause string
	Err   error
}

func (e *CanaryError) Error() string { return explain("canary", e.Reason, e.Cause, e.Err) }
func (e *CanaryError) Unwrap() error { return e.Err }

func explain(what, reason, cause string, err error) string {
	if err == nil {
		return fmt.Sprintf("%s: %s: %s", what, reason, cause)
	}
	return fmt.Sprintf("%s: %s: %s: %v", what, reason, cause, err)
}
