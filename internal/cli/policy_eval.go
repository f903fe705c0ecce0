// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubearmor/kubearmor-operator/internal/policy/cases"
	"github.com/kubearmor/kubearmor-operator/internal/policy/document"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/root"
)

// policyEval is `karmor policy eval`.
type policyEval struct {
	streams Streams
	files   []string
	output  string
	root    string

	labels, annotations, posture string
	workload                     cases.Workload
	operation                    cases.Operation

	// What complete makes of the flags.
	postures cases.Posture
	question model.Operation
}

func newPolicyEval(streams Streams) *cobra.Command {
	e := &policyEval{streams: streams}
	cmd := &cobra.Command{
		Use:   "eval -f FILE --op OPERATION [flags] [-- ARGUMENT…]",
		Short: "Say what policies do with one operation, and why",
		Long: "eval asks the reference model, which every backend is tested against: the policies of the files, a workload and one\n" +
			"operation of it in, a verdict out. Policies that do not select the workload have no say; where no namespace, labels and\n" +
			"container are given, every policy of the files selects it, as with karmor run.\n\n" +
			"Exit codes: 0 there is a verdict, whatever it is; 1 a policy is invalid or cannot be read; 2 wrong usage.",
		Example: "  karmor policy eval -f policies/ --namespace shop --labels app=web --op exec --path /usr/bin/curl --source /bin/sh\n" +
			"  karmor policy eval -f p.yaml --posture file=block --op read --path /etc/passwd --uid 1000 --owner 0\n" +
			"  karmor policy eval -f p.yaml --op connect --protocol tcp -o json\n" +
			"  karmor policy eval -f host.yaml --host --labels kubernetes.io/os=linux --op write --path /etc/passwd",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.complete(cmd, args); err != nil {
				return err
			}
			if err := e.validate(); err != nil {
				return err
			}
			return e.run()
		},
	}
	e.flags(cmd)
	return cmd
}

func (e *policyEval) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&e.files, "filename", "f", nil, "file or folder of policies, or - for standard input; may be repeated")
	f.StringVarP(&e.output, "output", "o", "text", "text or json")
	f.StringVar(&e.root, "root", "", "folder that is the workload's root: its symlinks are followed")

	f.StringVar(&e.workload.Namespace, "namespace", "", "namespace of the workload (default \"default\" where labels or a container are given)")
	f.StringVar(&e.labels, "labels", "", "labels of the Pod, or of the node with --host: key=value,…")
	f.StringVar(&e.annotations, "annotations", "", "annotations of the Pod, or of the node with --host: key=value,…")
	f.StringVar(&e.workload.Container, "container", "", "name of the container")
	f.BoolVar(&e.workload.Host, "host", false, "the workload is the node itself")
	f.StringVar(&e.posture, "posture", "", "what allow-lists do with the rest: file=block,network=audit,capabilities=allow (default audit)")

	o := &e.operation
	f.StringVar(&o.Op, "op", "", "operation: "+strings.Join(cases.Ops(), ", "))
	f.StringVar(&o.Path, "path", "", "path of the program or file")
	f.StringVar(&o.NewPath, "new-path", "", "path after a rename or link")
	f.StringVar(&o.Source, "source", "", "program that does it: for exec the one that calls it, else the one that runs")
	f.StringSliceVar(&o.Args, "args", nil, "arguments after the program's name, with commas between; or write them after --")
	f.Uint32Var(&o.UID, "uid", 0, "user of the process")
	f.Uint32Var(&o.Owner, "owner", 0, "owner of the file")
	f.BoolVar(&o.Directory, "directory", false, "what is renamed is a directory")
	f.BoolVar(&o.Terminal, "terminal", false, "the process has a terminal")
	f.StringVar(&o.Protocol, "protocol", "", "of the socket: tcp, udp, …")
	f.StringVar(&o.Capability, "capability", "", "capability, for instance net_raw")
	f.StringVar(&o.Domain, "domain", "", "name that is looked up")
	f.StringVar(&o.Syscall, "syscall", "", "system call, for instance unlink")
	f.BoolVar(&o.Memory, "memory", false, "the program or file is in memory only (memfd, pipe)")
	f.BoolVar(&o.Unlinked, "unlinked", false, "the program or file has no name any more (deleted)")
	f.BoolVar(&o.Entered, "entered", false, "the process came into the container from outside (kubectl exec)")
	f.IntVar(&o.PID, "pid", 0, "process id, as its own /proc shows it")
}

// complete reads the flags that are lists.
func (e *policyEval) complete(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
		return usagef("policy eval: unknown argument %q; arguments of the program come after --", args[0])
	}
	e.operation.Args = append(e.operation.Args, args...)
	given := cmd.Flags().Changed
	e.workload.Every = !given("namespace") && !given("labels") && !given("container")
	var err error
	if e.workload.Labels, err = keyValues("labels", e.labels); err != nil {
		return err
	}
	if e.workload.Annotations, err = keyValues("annotations", e.annotations); err != nil {
		return err
	}
	e.postures, err = keyValues("posture", e.posture)
	return err
}

func (e *policyEval) validate() error {
	if len(e.files) == 0 {
		return usagef("policy eval: no policies; name a file or a folder with -f")
	}
	if e.operation.Op == "" {
		return usagef("policy eval: no operation; name one with --op: %s", strings.Join(cases.Ops(), ", "))
	}
	if err := oneOf("output", e.output, "text", "json"); err != nil {
		return err
	}
	if _, err := e.postures.Model(); err != nil {
		return asFlag(err)
	}
	if err := e.workload.Check(); err != nil {
		return asFlag(err)
	}
	var err error
	e.question, err = e.operation.Model()
	return asFlag(err)
}

// asFlag turns a mistake in a field into one in its flag.
func asFlag(err error) error {
	var m *cases.MistakeError
	if !errors.As(err, &m) {
		return err
	}
	flag := m.Field
	if flag == "newPath" {
		flag = "new-path"
	}
	return usagef("--%s %s", flag, m.Message)
}

func (e *policyEval) run() error {
	documents, err := policyFiles{in: e.streams.In, notes: e.streams.Err}.readValid(e.files)
	if err != nil {
		return err
	}
	resolver, err := openRoot(e.root)
	if err != nil {
		return err
	}
	postures, _ := e.postures.Model()
	workload := cases.Select(documents, e.workload, postures, resolver)
	verdict := cases.Judge(workload, e.question)
	if e.output == "json" {
		return printJSONLine(e.streams.Out, verdict)
	}
	return e.print(verdict)
}

func (e *policyEval) print(v cases.Verdict) error {
	rows := []row{{"Verdict", v.Verdict}}
	if v.Ref.Name != "" {
		rows = append(rows, row{"Policy", v.Ref.String()}, row{"Rule", v.Rule})
	} else if v.Policy != "" {
		rows = append(rows, row{"Policy", v.Policy})
	}
	for _, r := range append(rows, row{"Reason", v.Reason}) {
		if _, err := fmt.Fprintf(e.streams.Out, "%-8s %s\n", r.label, r.value); err != nil {
			return err
		}
	}
	return nil
}

// printJSONLine prints one object on one line, with < and & as they are.
func printJSONLine(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// readValid is read, and fails with every problem when a policy is invalid. Kinds that are not supported are left out.
func (f policyFiles) readValid(names []string) ([]document.Document, error) {
	documents, err := f.read(names)
	if err != nil {
		return nil, err
	}
	var problems []error
	var valid []document.Document
	for i := range documents {
		d := &documents[i]
		for _, p := range d.Errors {
			problems = append(problems, errors.New(p.String()))
		}
		if d.Class == document.Unsupported {
			_, _ = fmt.Fprintf(f.notes, "karmor: %s\n", d.At("kind", d.Kind+" is not supported yet and left out"))
			continue
		}
		valid = append(valid, *d)
	}
	return valid, errors.Join(problems...)
}

// rootOf adapts a folder's symlinks to the model.
type rootOf struct{ folder *root.Root }

func (r rootOf) Resolve(path string) string {
	object, _ := r.folder.Resolve(path)
	return object
}

// openRoot returns nil for no folder.
func openRoot(dir string) (model.Resolver, error) {
	if dir == "" {
		return nil, nil
	}
	folder := root.Directory(dir)
	if err := folder.Check(); err != nil {
		return nil, fmt.Errorf("--root %s: %w; name the folder that the workload has as its root", dir, explainFile(err))
	}
	return rootOf{folder}, nil
}
