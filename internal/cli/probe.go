// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/facts"
	"github.com/kubearmor/kubearmor-operator/internal/support"
)

// probe is `karmor probe`.
type probe struct {
	streams Streams
	local   bool
	output  string

	// What the world is asked through; tests replace it.
	look    func(context.Context) v1.NodeFacts
	connect func() (nodeLister, error)
	// workloads of the cluster; nil: nobody asks for them.
	workloads func(context.Context) (workloads, error)
	euid      func() int
}

func newProbe(streams Streams, flags *clusterFlags) *cobra.Command {
	p := &probe{
		streams: streams,
		look: func(ctx context.Context) v1.NodeFacts {
			return facts.Probe(ctx, facts.OptionsFromEnv(os.Getenv))
		},
		connect: flags.connect,
		workloads: func(ctx context.Context) (workloads, error) {
			o, _, err := flags.objects()
			if err != nil {
				return workloads{}, err
			}
			return readWorkloads(ctx, o)
		},
		euid: os.Geteuid,
	}
	return p.command()
}

func (p *probe) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Show what nodes can enforce and what they do enforce",
		Long: "Without flags, probe lists the cluster's nodes: what each can enforce, whether it does, and why not; then the Pods\n" +
			"that policies select: whether they are enforced, what allow-lists do with the rest, and which policies.\n" +
			"With --local it looks at this machine itself: it loads and attaches the real programs, does a canary\n" +
			"operation, and believes only a denial that it saw. It leaves nothing behind. Run it as root.\n\n" +
			"Exit codes: 0 the facts were printed, whatever they say; 1 they could not be; 2 wrong usage.",
		Example: "  karmor probe\n  karmor probe -o wide\n  sudo karmor probe --local\n  sudo karmor probe --local -o json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.complete()
			if err := p.validate(); err != nil {
				return err
			}
			return p.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&p.local, "local", false, "look at this machine instead of the cluster's nodes")
	cmd.Flags().StringVarP(&p.output, "output", "o", "", "with --local: text (default), json or yaml; else: table (default), wide, json or yaml")
	return cmd
}

func (p *probe) complete() {
	if p.output == "" {
		p.output = p.outputs()[0]
	}
}

func (p *probe) validate() error {
	if !slices.Contains(p.outputs(), p.output) {
		return usagef("--output %q is not one of %s", p.output, strings.Join(p.outputs(), ", "))
	}
	return nil
}

// outputs are the formats, the default first.
func (p *probe) outputs() []string {
	if p.local {
		return []string{"text", "json", "yaml"}
	}
	return []string{"table", "wide", "json", "yaml"}
}

func (p *probe) run(ctx context.Context) error {
	if p.local {
		return p.runLocal(ctx)
	}
	return p.runCluster(ctx)
}

// localReport is the facts with the verdict beside them.
type localReport struct {
	v1.NodeFacts `json:",inline"`
	Verdict      v1.Verdict `json:"verdict"`
}

func (p *probe) runLocal(ctx context.Context) error {
	if p.euid() != 0 {
		_, _ = fmt.Fprintln(p.streams.Err, "karmor: not run as root: what needs privilege will be unknown; run it with sudo")
	}
	f := p.look(ctx)
	report := localReport{NodeFacts: f, Verdict: support.Decide(f)}
	if p.output == "text" {
		return printLocal(p.streams.Out, report)
	}
	return printObject(p.streams.Out, p.output, report)
}

func (p *probe) runCluster(ctx context.Context) error {
	lister, err := p.connect()
	if err != nil {
		return err
	}
	nodes, err := lister.ListNodes(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(nodes.Items, func(a, b v1.KubeArmorNode) int { return strings.Compare(a.Name, b.Name) })
	report := clusterReport{KubeArmorNodeList: *nodes}
	others := 0
	var problem error
	if p.workloads != nil {
		var w workloads
		if w, problem = p.workloads(ctx); problem != nil {
			problem = fmt.Errorf("no Pods are shown: %w; ask for list on pods, namespaces, kubearmorconfigs and the policies", problem)
		} else {
			report.Pods, others = podReports(w, nodes.Items)
		}
	}
	return errors.Join(p.print(report, others), problem)
}

// clusterReport is a KubeArmorNodeList with the Pods that policies select beside it.
type clusterReport struct {
	v1.KubeArmorNodeList `json:",inline"`
	Pods                 []podReport `json:"pods,omitempty"`
}

func (p *probe) print(r clusterReport, others int) error {
	wide := p.output == "wide"
	if p.output != "table" && !wide {
		r.SetGroupVersionKind(v1.GroupVersion.WithKind("KubeArmorNodeList"))
		for i := range r.Items {
			r.Items[i].SetGroupVersionKind(v1.GroupVersion.WithKind("KubeArmorNode"))
		}
		return printObject(p.streams.Out, p.output, r)
	}
	if len(r.Items) == 0 {
		_, _ = fmt.Fprintln(p.streams.Err, "karmor: no node is managed yet; is there a KubeArmorConfig? See: kubectl get kubearmorconfigs -A")
	} else if err := printNodes(p.streams.Out, r.Items, wide); err != nil {
		return err
	}
	if len(r.Pods) > 0 {
		_, _ = fmt.Fprintln(p.streams.Out)
		if err := printPods(p.streams.Out, r.Pods, wide); err != nil {
			return err
		}
	}
	if others > 0 {
		_, _ = fmt.Fprintf(p.streams.Err, "karmor: no policy selects %d other Pods\n", others)
	}
	return nil
}

func printObject(w io.Writer, format string, v any) error {
	if format == "yaml" {
		b, err := yaml.Marshal(v)
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		_, err = w.Write(b)
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
