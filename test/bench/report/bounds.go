// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/kubearmor/kubearmor-operator/test/bench/stats"
)

// Bound is a promise of the project and what became of it.
type Bound struct {
	Name string `json:"name"`
	// Most that is allowed, in Unit.
	Most  float64        `json:"most"`
	Unit  string         `json:"unit"`
	Value stats.Estimate `json:"value"`
	Met   bool           `json:"met"`
	// Unsure: the bound lies within the interval, so that another run may end otherwise.
	Unsure bool `json:"unsure"`
	// Why it was missed, or why it could not be measured.
	Why string `json:"why,omitempty"`
}

func newBound(name, unit string, most float64, value stats.Estimate) Bound {
	return Bound{
		Name: name, Unit: unit, Most: most, Value: value,
		Met:    value.Median <= most,
		Unsure: value.Low <= most && most < value.High,
	}
}

// The promises.
const (
	decisionNanoseconds = 250
	decisionPathBytes   = 64
	fewRules            = 10
	manyRules           = 10_000
	decisionGrowth      = 1.10

	bytesPerPolicy = 4 << 10
	bytesPerRule   = 64
	agentRSS       = 64 << 20
)

// promises on the machine are ratios to no agent.
func promises() map[string]map[string]float64 {
	policed := func(open, exec, connect float64) map[string]float64 {
		return map[string]float64{OperationOpen: open, OperationExec: exec, OperationConnect: connect}
	}
	return map[string]map[string]float64{
		SettingUnpoliced: policed(1.05, 1.02, 1.02),
		SettingFew:       policed(1.25, 1.05, 1.10),
		SettingMany:      policed(1.25, 1.05, 1.10),
	}
}

// Judge fills in the bounds from what was measured.
func (r *Report) Judge() {
	r.Bounds = nativeBounds(r.Native)
	if r.Machine != nil {
		r.Bounds = append(r.Bounds, r.Machine.bounds()...)
		r.Bounds = append(r.Bounds, r.Machine.Memory.bounds()...)
	}
}

// nativeBounds holds every mix of rules to the promise.
func nativeBounds(native []Native) []Bound {
	few := map[string]stats.Estimate{}
	var bounds []Bound
	for _, n := range native {
		if n.PathBytes != decisionPathBytes {
			continue
		}
		if n.Rules == fewRules {
			few[n.Mix] = n.Decision
		}
		if n.Rules == manyRules {
			b := newBound(fmt.Sprintf("decision on %d bytes, 10,000 rules, %s", n.PathBytes, n.Mix), "ns", decisionNanoseconds, n.Decision)
			if !b.Met {
				b.Why = fmt.Sprintf("of that %.0f ns are the kernel's loop over test runs", n.Floor.Median)
			}
			bounds = append(bounds, b)
		}
	}
	for _, n := range native {
		base, ok := few[n.Mix]
		if !ok || n.PathBytes != decisionPathBytes || n.Rules != manyRules {
			continue
		}
		// The ends of a ratio of two intervals are the worst cases of both.
		ratio := stats.Estimate{
			Median: n.Decision.Median / base.Median, Low: n.Decision.Low / base.High, High: n.Decision.High / base.Low,
			Samples: n.Decision.Samples,
		}
		bounds = append(bounds, newBound("the same, 10,000 rules to 10, "+n.Mix, "×", decisionGrowth, ratio))
	}
	return bounds
}

// BoundName is that of the bound on an operation under a setting.
func BoundName(operation, setting string) string { return operation + ", " + setting }

func (m *Machine) bounds() []Bound {
	var bounds []Bound
	for _, setting := range Settings() {
		for _, operation := range Operations() {
			most, promised := promises()[setting][operation]
			if !promised {
				continue
			}
			ratio, found := m.ratio(operation, setting)
			if !found {
				continue
			}
			b := newBound(BoundName(operation, setting), "×", most, ratio)
			if !b.Met {
				b.Why = m.why(operation, setting)
			}
			bounds = append(bounds, b)
		}
	}
	return bounds
}

// why says what the profile knows of an operation.
func (m *Machine) why(operation, setting string) string {
	why := ""
	for _, p := range m.Profile {
		if p.Operation == operation && p.Setting == setting {
			why += fmt.Sprintf(", %s %.1f × %.0f ns", p.Program, p.Runs, p.Nanoseconds)
		}
	}
	if why == "" {
		return "no program ran for it: it is attaching itself, or noise (compare \"" + SettingAgain + "\")"
	}
	return "programs for one operation" + why
}

func (m Memory) bounds() []Bound {
	exact := func(v float64) stats.Estimate { return stats.Estimate{Median: v, Low: v, High: v, Samples: 1} }
	var bounds []Bound
	if m.Policies > 0 {
		most := float64(bytesPerPolicy + m.RulesEach*bytesPerRule)
		b := newBound(fmt.Sprintf("kernel memory of a policy of %d rules", m.RulesEach), "B", most, exact(float64(m.Tables)/float64(m.Policies)))
		bounds = append(bounds, b, newBound(
			fmt.Sprintf("RSS of the agent, %d policies, %d containers", m.Policies, m.Containers), "B", agentRSS, exact(float64(m.RSS))))
	}
	if m.Rules > 0 {
		b := newBound(fmt.Sprintf("kernel memory of a rule, %d rules", m.Rules), "B", bytesPerRule, exact(float64(m.RulesBytes)/float64(m.Rules)))
		if m.RulesError != "" {
			b.Met, b.Why = false, "not put in force: "+m.RulesError
		}
		bounds = append(bounds, b)
	}
	return bounds
}
