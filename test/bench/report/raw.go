// SPDX-License-Identifier: Apache-2.0

package report

// Settings under which the machine's operations are measured.
const (
	// SettingNone is the machine without the core; SettingAgain the same once more, so that the difference between the
	// two is what the measurement itself is worth.
	SettingNone  = "no agent"
	SettingAgain = "no agent, again"
	// SettingUnpoliced has the core attached, and no policy for the cgroup in which the operations are done.
	SettingUnpoliced = "unpoliced container"
	SettingFew       = "10 rules"
	SettingMany      = "10,000 rules"
)

// Settings in the order in which they are shown.
func Settings() []string {
	return []string{SettingNone, SettingAgain, SettingUnpoliced, SettingFew, SettingMany}
}

// Operations that are measured, and what one of them is.
const (
	OperationExec    = "fork+exec"
	OperationOpen    = "open/close"
	OperationStat    = "stat"
	OperationConnect = "connect"
)

// Operations in the order in which they are shown.
func Operations() []string {
	return []string{OperationExec, OperationOpen, OperationStat, OperationConnect}
}

// Raw is what the program inside the machine prints.
type Raw struct {
	Kernel string `json:"kernel"`
	// Samples by operation and setting, one a round: nanoseconds of one operation. All lists have the same rounds.
	Samples map[string]map[string][]float64 `json:"samples"`
	// Profile of the programs, taken after the rounds with the kernel's statistics switched on.
	Profile []ProgramCost `json:"profile"`
	// Policies that were in force in the settings with rules.
	Policies []PolicyInForce `json:"policies"`
	Memory   Memory          `json:"memory"`
	// Events that the core sent while operations were measured. There should be none: no operation was one that a rule
	// decides.
	Events int `json:"events"`
	// Attach is how long opening the core took, in seconds, of each round.
	Attach []float64 `json:"attachSeconds"`
}

// ProgramCost is how often a program ran for one operation, and how long one run took with the statistics switched on,
// which costs something itself.
type ProgramCost struct {
	Operation string  `json:"operation"`
	Setting   string  `json:"setting"`
	Program   string  `json:"program"`
	Runs      float64 `json:"runsPerOperation"`
	// Nanoseconds of one run.
	Nanoseconds float64 `json:"nanosecondsPerRun"`
}

// PolicyInForce says how much of a setting's policy the core holds.
type PolicyInForce struct {
	Setting string `json:"setting"`
	Rules   int    `json:"rules"`
	InForce int    `json:"inForce"`
	// Left are rules that are not in force, counted by reason.
	Left map[string]int `json:"left,omitempty"`
}

// Memory is what the core needs, in bytes.
type Memory struct {
	// Fixed is kernel memory of an attached core's maps without any policy.
	Fixed uint64 `json:"fixedBytes"`
	// Policies, Containers and RulesEach of the node that Tables and RSS are measured for.
	Policies   int `json:"policies"`
	Containers int `json:"containers"`
	RulesEach  int `json:"rulesEach"`
	// Tables is kernel memory of the maps beyond Fixed.
	Tables uint64 `json:"tableBytes"`
	// RSS and Peak of an agent with these policies and containers, all of it but the client of the container runtime.
	RSS  uint64 `json:"rssBytes"`
	Peak uint64 `json:"peakRssBytes"`
	// Rules is how many the large set has, RulesBytes the kernel memory beyond Fixed with it.
	Rules      int    `json:"rules"`
	RulesBytes uint64 `json:"rulesBytes"`
	// RulesError is why the large set could not be put in force.
	RulesError string `json:"rulesError,omitempty"`
}
