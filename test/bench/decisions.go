// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/test/bench/native"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// nativeDecisions measures on this machine's own kernel.
func nativeDecisions(log *progress.Log, samples int) (measured []report.Native, err error) {
	run, err := sensor.OpenTestRun()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	return native.Measure(run, samples, log.Printf)
}
