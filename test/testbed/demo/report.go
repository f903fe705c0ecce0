// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
)

// report prints what was found and ends with one line: the verdict.
func (d Demo) report(ctx context.Context, cluster *product.Cluster, found findings) error {
	d.section("Nodes: what was detected, and what each can do")
	printNodes(d.Out, found)
	d.section("kubectl get kac,kan,ds -A")
	objects, err := cluster.Run(ctx, "get", "kac,kan,ds", "-A")
	if err != nil {
		return err
	}
	fmt.Fprintln(d.Out, objects)
	d.section("Operations in a Pod on each node, by kubectl exec")
	printOperations(d.Out, found)
	d.section("Alerts on the attacks")
	printAlerts(d.Out, found)
	problems := judge(found)
	for _, problem := range problems {
		fmt.Fprintln(d.Out, "NOT AS PROMISED: "+problem)
	}
	fmt.Fprintln(d.Out, "\n"+verdict(found, problems))
	if len(problems) > 0 {
		return errors.New("the demo did not show what it should")
	}
	return nil
}

func (d Demo) section(title string) { fmt.Fprintf(d.Out, "\n== %s\n", title) }

func verdict(found findings, problems []string) string {
	if len(problems) > 0 {
		return fmt.Sprintf("DEMO FAILED: %d expectations did not hold", len(problems))
	}
	enforcing := 0
	for _, spec := range found.specs {
		if spec.BPFLSM() {
			enforcing++
		}
	}
	return fmt.Sprintf("DEMO OK: every attack was denied on %d enforcing nodes; %d node honestly does not enforce and raised the alarm",
		enforcing, len(found.specs)-enforcing)
}

func printNodes(out io.Writer, found findings) {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tKERNEL\tARCH\tDETECTED\tENFORCER\tENFORCING\tWHY")
	for _, spec := range found.specs {
		n := found.nodes[spec.Name]
		enforcing, why := "yes", "a denial was seen on this node"
		if !product.Enforcing(&n) {
			enforcing, why = "no", whyNot(&n)
			if n.Spec.Verdict != nil {
				why += ": " + n.Spec.Verdict.Message
			}
		}
		facts := n.Spec.Facts
		if facts == nil {
			facts = &operatorv1.NodeFacts{}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", spec.Name, facts.Kernel, facts.Arch, detected(facts), n.Status.Enforcer, enforcing, why)
	}
	table.Flush()
}

func detected(f *operatorv1.NodeFacts) string {
	return fmt.Sprintf("BPF-LSM %s, AppArmor %s, BTF %s, cgroup v%d, %s %s",
		cmp.Or(f.BPFLSM.State, "?"), cmp.Or(f.AppArmor.State, "?"), cmp.Or(f.BTF.State, "?"), f.CgroupVersion, f.Runtime.Name, f.Runtime.Version)
}

func printOperations(out io.Writer, found findings) {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tOPERATION\tPATH\tPOLICY\tRESULT\tWHAT THE POD SAW")
	for _, o := range found.outcomes {
		policy, result := "allows", "worked"
		if o.Attacked {
			policy = "blocks"
		}
		n := found.nodes[o.Node]
		switch {
		case o.Denied():
			result = "denied"
		case !o.Through():
			result = "failed"
		case o.Attacked:
			result = "not enforced: " + whyNot(&n)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", o.Node, o.Kind, o.Path, policy, result, firstLine(o.Result.Output))
	}
	table.Flush()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}

// printAlerts shows one alert for each attacked path of each node: in short where the attack was denied, and as the agent wrote it
// where it was not.
func printAlerts(out io.Writer, found findings) {
	for _, spec := range found.specs {
		for _, o := range product.Operations() {
			if !o.Attacked {
				continue
			}
			alert, ok := alertOn(found.alerts[spec.Name], o)
			switch {
			case !ok:
				fmt.Fprintf(out, "%s: no alert on %s\n", spec.Name, o.Path)
			case spec.BPFLSM():
				fmt.Fprintf(out, "%s: %s %s %s in Pod %s: %s (policy %s, enforcer %s)\n",
					spec.Name, alert.Action, alert.Operation, alert.Resource, alert.PodName, alert.Result, alert.PolicyName, alert.Enforcer)
			default:
				fmt.Fprintf(out, "%s: %s\n", spec.Name, alert.Line)
			}
		}
	}
}

func alertOn(alerts []product.Alert, o product.Operation) (product.Alert, bool) {
	for _, a := range alerts {
		if strings.Contains(a.Resource, o.Path) {
			return a, true
		}
	}
	return product.Alert{}, false
}
