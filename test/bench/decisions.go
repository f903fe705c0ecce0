// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/kubearmor/kubearmor-operator/test/bench/native"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

var errNoTestRun = errors.New("the core has no test run yet; measure without: -native=false")

func openDecider() (native.Decider, func() error, error) { return nil, nil, errNoTestRun }

// nativeDecisions measures on this machine's own kernel.
func nativeDecisions(log *progress.Log, samples int) (measured []report.Native, err error) {
	decider, done, err := openDecider()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return native.Measure(decider, samples, log.Printf)
}
