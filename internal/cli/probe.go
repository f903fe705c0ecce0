// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
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
	euid    func() int
}

func newProbe(streams Streams, flags *clusterFlags) *cobra.Command {
	p := &probe{
		streams: streams,
		look: func(ctx context.Context) v1.NodeFacts {
			return facts.Probe(ctx, facts.OptionsFromEnv(os.Getenv))
		},
		connect: flags.connect,
		euid:    os.Geteuid,
	}
	return p.command()
}

func (p *probe) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Show what nodes can enforce and what they do enforce",
		Long: "Without flags, probe lists the cluster's nodes: what each can enforce, whether it does, and why not.\n" +
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
	switch p.output {
	case "table", "wide":
		if len(nodes.Items) == 0 {
			_, _ = fmt.Fprintln(p.streams.Err, "karmor: no node is managed yet; is there a KubeArmorConfig? See: kubectl get kubearmorconfigs -A")
			return nil
		}
		return printNodes(p.streams.Out, nodes.Items, p.output == "wide")
	}
	nodes.SetGroupVersionKind(v1.GroupVersion.WithKind("KubeArmorNodeList"))
	for i := range nodes.Items {
		nodes.Items[i].SetGroupVersionKind(v1.GroupVersion.WithKind("KubeArmorNode"))
	}
	return printObject(p.streams.Out, p.output, nodes)
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
