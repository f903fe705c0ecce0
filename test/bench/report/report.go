// SPDX-License-Identifier: Apache-2.0

// Package report turns samples into what a reader wants to know: medians with intervals, ratios, and which bounds are
// met. It does no I/O.
package report

import (
	"fmt"

	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
)

// Report is docs/bench/bench.json.
type Report struct {
	Environment Environment `json:"environment"`
	// Bounds of the project, each with what was measured for it.
	Bounds  []Bound  `json:"bounds"`
	Native  []Native `json:"native,omitempty"`
	Machine *Machine `json:"machine,omitempty"`
}

// Environment in which all was measured.
type Environment struct {
	CPU  string `json:"cpu"`
	CPUs int    `json:"cpus"`
	// HostKernel ran the native measurements, GuestKernel the machine's.
	HostKernel  string `json:"hostKernel"`
	GuestKernel string `json:"guestKernel,omitempty"`
	// Accelerator is KVM, or TCG, which emulates the machine's processor.
	Accelerator string `json:"accelerator,omitempty"`
	Commit      string `json:"commit"`
	// Load is the host's load average over a minute before the start. Noisy says that others were using the host.
	Load  float64 `json:"loadBefore"`
	Noisy bool    `json:"noisy"`
}

// noisyLoad is more than an idle host has.
const noisyLoad = 0.5

// Busy says whether a load average is one at which nothing can be measured.
func Busy(load float64) bool { return load > noisyLoad }

// Native is one decision, run by BPF_PROG_TEST_RUN on the host's own kernel.
type Native struct {
	// Mix of the rules: exact, directory, pattern or mixed.
	Mix   string `json:"mix"`
	Rules int    `json:"rules"`
	// InForce of them: fewer where the globs need a larger automaton than the core holds.
	InForce   int `json:"inForce"`
	PathBytes int `json:"pathBytes"`
	// Decision is nanoseconds of one decision on an assembled path, as the kernel counts them, with what the kernel's
	// loop over test runs needs, which Floor is: nothing is subtracted.
	Decision stats.Estimate `json:"decisionNanoseconds"`
	Floor    stats.Estimate `json:"floorNanoseconds"`
}

// Machine is what was measured in the virtual machine.
type Machine struct {
	Operations []Operation     `json:"operations"`
	Profile    []ProgramCost   `json:"profile"`
	Policies   []PolicyInForce `json:"policies"`
	Memory     Memory          `json:"memory"`
	Events     int             `json:"events"`
	Attach     stats.Estimate  `json:"attachSeconds"`
}

// Operation under each setting.
type Operation struct {
	Name     string     `json:"name"`
	Settings []Measured `json:"settings"`
}

// Measured is an operation under one setting. Ratio is to the setting without an agent, of the same rounds.
type Measured struct {
	Setting     string         `json:"setting"`
	Nanoseconds stats.Estimate `json:"nanoseconds"`
	Ratio       stats.Estimate `json:"ratio"`
}

// NewMachine estimates from the samples of the machine.
func NewMachine(raw Raw) (*Machine, error) {
	m := &Machine{
		Profile: raw.Profile, Policies: raw.Policies, Memory: raw.Memory, Events: raw.Events, Attach: stats.Of(raw.Attach),
	}
	for _, name := range Operations() {
		o := Operation{Name: name}
		for _, setting := range Settings() {
			samples := raw.Samples[name][setting]
			ratios, err := stats.Ratios(samples, raw.Samples[name][SettingNone])
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, setting, err)
			}
			if len(samples) == 0 {
				return nil, fmt.Errorf("%s, %s: no samples", name, setting)
			}
			o.Settings = append(o.Settings, Measured{setting, stats.Of(samples), stats.Of(ratios)})
		}
		m.Operations = append(m.Operations, o)
	}
	return m, nil
}

// ratio of an operation under a setting.
func (m *Machine) ratio(operation, setting string) (stats.Estimate, bool) {
	for _, o := range m.Operations {
		if o.Name != operation {
			continue
		}
		for _, s := range o.Settings {
			if s.Setting == setting {
				return s.Ratio, true
			}
		}
	}
	return stats.Estimate{}, false
}
