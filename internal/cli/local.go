// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// row is one line of the report for a person.
type row struct{ label, value string }

func printLocal(w io.Writer, r localReport) error {
	var b strings.Builder
	for _, x := range localRows(r.NodeFacts) {
		fmt.Fprintf(&b, "%-14s %s\n", x.label, x.value)
	}
	fmt.Fprintf(&b, "\n%-14s %s\n", "Verdict", verdictLine(r.Verdict))
	// The verdict's message is a chain of clauses: what is the matter, what to do, what there is instead.
	for _, clause := range strings.Split(r.Verdict.Message, "; ") {
		if clause != "" {
			fmt.Fprintf(&b, "%-14s %s\n", "", clause)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func localRows(f v1.NodeFacts) []row {
	return []row{
		{"Kernel", f.Kernel + " " + f.Arch},
		{"Distribution", cmp.Or(f.Distribution.Name, f.Distribution.ID, "unknown")},
		{"Boot ID", cmp.Or(f.BootID, "unknown")},
		{"Active LSMs", cmp.Or(strings.Join(f.LSMs, ","), "unknown")},
		{"BPF-LSM", factLine(f.BPFLSM)},
		{"Observe", factLine(f.Observe)},
		{"AppArmor", factLine(f.AppArmor)},
		{"SELinux", selinuxLine(f.SELinux)},
		{"Seccomp", factLine(f.Seccomp)},
		{"BTF", factLine(f.BTF)},
		{"Cgroup", cgroupLine(f.CgroupVersion)},
		{"bpffs", factLine(f.BPFFS)},
		{"securityfs", factLine(f.SecurityFS)},
		{"AppArmor fs", factLine(f.AppArmorFS)},
		{"Runtime", runtimeLine(f.Runtime)},
		{"NRI socket", cmp.Or(f.Runtime.NRISocket, "none")},
	}
}

// factLine is "yes", or what else and why.
func factLine(f v1.Fact) string {
	parts := []string{strings.ToLower(string(f.State))}
	if f.Reason != "" {
		parts = append(parts, f.Reason)
	}
	if f.Cause != "" {
		parts = append(parts, f.Cause)
	}
	return strings.Join(parts, ": ")
}

func selinuxLine(f v1.SELinuxFact) string {
	if f.State == v1.FactYes {
		return "yes: " + f.Mode
	}
	return factLine(f.Fact)
}

func cgroupLine(version int32) string {
	if version == 0 {
		return "unknown"
	}
	return fmt.Sprintf("v%d", version)
}

func runtimeLine(f v1.RuntimeFact) string {
	if f.State != v1.FactYes {
		return factLine(f.Fact)
	}
	line := fmt.Sprintf("%s %s at %s", f.Name, f.Version, f.Socket)
	if f.Cause != "" {
		line += ": " + f.Cause
	}
	return line
}

func verdictLine(v v1.Verdict) string {
	if v.Enforcer == v1.EnforcerNone {
		return "not enforcing: " + v.Reason
	}
	return string(v.Enforcer) + ": " + v.Reason
}
