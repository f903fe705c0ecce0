// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// canary runs the core's own canary in a folder of its own.
func canary(ctx context.Context, o Options, mode sensor.Mode) ([]string, error) {
	dir, err := os.MkdirTemp(o.Scratch, "kubearmor-canary-")
	if err != nil {
		return nil, fmt.Errorf("no folder for the canary: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return o.Canary(ctx, mode, dir)
}

// canaryFact reads a canary's outcome. What says that the kernel cannot do it is No; what kept the canary from being
// tried at all is Unknown. A Yes names the operations that are not judged all the same.
func canaryFact(notJudged []string, err error) v1.Fact {
	if err == nil {
		return but(yes(), notJudged)
	}
	var seen *sensor.CanaryError
	if !errors.As(err, &seen) {
		return unknown(v1.ReasonCanaryFailed, err.Error())
	}
	switch seen.Reason {
	case sensor.ReasonKernelTooOld, sensor.ReasonNoBTF, sensor.ReasonLSMInactive, sensor.ReasonVerifierRejected,
		sensor.ReasonAttachRefused, sensor.ReasonDenialNotSeen, sensor.ReasonCgroupV1, sensor.ReasonNoBPFFS:
		return no(seen.Reason, said(seen))
	case "":
		return unknown(v1.ReasonCanaryFailed, said(seen))
	}
	return unknown(seen.Reason, said(seen))
}

// but names what the fact does not hold for.
func but(f v1.Fact, notJudged []string) v1.Fact {
	if len(notJudged) > 0 {
		f.Cause = "the kernel has no hook for " + strings.Join(notJudged, ", ") + ", so rules do not hold for that"
	}
	return f
}

// said is the canary's cause with the kernel's own words, once.
func said(e *sensor.CanaryError) string {
	switch {
	case e.Err == nil:
		return e.Cause
	case e.Cause == "":
		return e.Err.Error()
	}
	return e.Cause + ": " + e.Err.Error()
}
