// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// native is the core's own code in this machine's kernel.
type native struct{ run *sensor.TestRun }

func openNative() (backend, error) {
	run, err := sensor.OpenTestRun()
	return native{run}, err
}

func (n native) hold(p compile.Profile) error { return n.run.Hold(p) }

func (n native) ask(q question) (table.Answer, error) {
	if q.Domain == compile.DomainDNS {
		return n.run.AnswerName(q.name, q.Source)
	}
	return n.run.Answer(q.Question)
}
