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
}

func (e *TableFullError) Error() string {
	return fmt.Sprintf("table %q holds %d entries and the policies need %d: select fewer workloads or use fewer rules", e.Table, e.Capacity, e.Need)
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
