// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubearmor/kubearmor-operator/internal/policy/cases"
	"github.com/kubearmor/kubearmor-operator/internal/runner"
)

// exitRunFailed is the exit status of `karmor run` where it failed itself, which env(1) and others have for that.
const exitRunFailed = 125

// exitStatus is that of a command that karmor ran; everything there is to say was said.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// run is `karmor run`.
type run struct {
	streams Streams
	version string

	files, command                        []string
	labels, namespace, container, posture string
	alerts                                string
	host                                  bool

	// enforce is runner.Run but for tests.
	enforce func(context.Context, runner.Options) (int, error)
}

func newRun(version string, streams Streams) *cobra.Command {
	r := &run{streams: streams, version: version, enforce: runner.Run}
	return r.cobra()
}

func (r *run) cobra() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run -f FILE [flags] -- COMMAND [ARGUMENT…]",
		Short: "Run a command under policies, without a cluster",
		Long: "run starts one command in a cgroup of its own and enforces policies on it and on all that it starts, in the kernel,\n" +
			"as an agent does on a container. The policies are in force before the command starts. When it ends, what it left\n" +
			"running is killed, and no program, table or cgroup is left behind. Run it as root, on a kernel with BPF-LSM. A command that\n" +
			"keeps root and the host's /sys/fs/cgroup can leave its cgroup, and with it the policies.\n\n" +
			"Every policy of the files holds for the command, whatever it selects. With --namespace, --labels or --container the\n" +
			"command is taken for a container with these, and only the policies that select it hold.\n\n" +
			"Alerts are written to standard error, a line for each; with --alerts FILE they are added to a file, and with\n" +
			"--alerts - written to standard output, as JSON lines. Rules that are not in force are named before the start.\n\n" +
			"Exit codes: that of the command, and 128 and the signal's number when a signal ended it; 125 karmor itself failed;\n" +
			"126 the command could not be executed, for instance because a policy forbids it; 127 it was not found; 2 wrong usage.",
		Example: "  sudo karmor run -f policy.yaml -- sh -c 'cat /etc/shadow'\n" +
			"  sudo karmor run -f policies/ --labels app=web --namespace shop --posture file=block --alerts alerts.json -- ./server\n" +
			"  sudo karmor run -f host.yaml --host -- sleep 60",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("run: no command; write it after --")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.command = args
			return r.run(cmd.Context(), cmd.Flags().Changed)
		},
	}
	flags := cmd.Flags()
	// What follows the command's name is the command's, also without --.
	flags.SetInterspersed(false)
	flags.StringArrayVarP(&r.files, "filename", "f", nil, "file or folder of policies, or - for standard input; may be repeated")
	flags.StringVar(&r.labels, "labels", "", "labels of the command, and of the machine with --host: key=value,…")
	flags.StringVar(&r.namespace, "namespace", "", "namespace of the command (default, where --labels or --container is given)")
	flags.StringVar(&r.container, "container", "", "name of the container that the command is taken for")
	flags.StringVar(&r.posture, "posture", "", "what allow-lists do with the rest: file=block,network=audit,capabilities=allow (default audit)")
	flags.StringVar(&r.alerts, "alerts", "", "file that alerts are added to as JSON lines, or - for standard output (default: text on standard error)")
	flags.BoolVar(&r.host, "host", false, "host policies hold for the whole machine until the command ends")
	return cmd
}

func (r *run) run(ctx context.Context, given func(flag string) bool) error {
	if len(r.files) == 0 {
		return usagef("run: no policies; name a file or a folder with -f")
	}
	labels, err := keyValues("labels", r.labels)
	if err != nil {
		return err
	}
	words, err := keyValues("posture", r.posture)
	if err != nil {
		return err
	}
	postures, err := cases.Posture(words).Model()
	if err != nil {
		return asFlag(err)
	}
	policies, err := r.policies()
	if err != nil {
		return runFailed(err)
	}
	o := runner.Options{
		Policies: policies, Host: r.host, Postures: postures,
		Subject: runner.Subject{
			Every:     !given("namespace") && !given("labels") && !given("container"),
			Namespace: r.namespace, Labels: labels, Container: r.container,
		},
		Command: r.command, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Notes: r.streams.Err, Version: r.version, Log: logr.Discard(),
	}
	closeAlerts, err := r.openAlerts(&o)
	if err != nil {
		return runFailed(err)
	}
	if !o.Subject.Every && o.Subject.Namespace == "" {
		o.Subject.Namespace = metav1.NamespaceDefault
	}
	code, err := r.enforce(ctx, o)
	if err := errors.Join(err, closeAlerts()); err != nil {
		return runFailed(err)
	}
	if code != ExitOK {
		return exitStatus(code)
	}
	return nil
}

// runError ends karmor with a status that no command is likely to have.
type runError struct {
	err  error
	code int
}

func (e runError) Error() string { return e.err.Error() }
func (e runError) Unwrap() error { return e.err }

// statusOf gives the exit status that an error of `karmor run` stands for, and says what went wrong with karmor itself.
func statusOf(err error, streams Streams) (code int, known bool) {
	var command exitStatus
	if errors.As(err, &command) {
		return int(command), true
	}
	var failed runError
	if errors.As(err, &failed) {
		_, _ = fmt.Fprintf(streams.Err, "karmor: %v\n", err)
		return failed.code, true
	}
	return 0, false
}

func runFailed(err error) error {
	var start *runner.StartError
	if errors.As(err, &start) {
		return runError{err, start.Code}
	}
	return runError{err, exitRunFailed}
}

// policies reads and checks all files; nothing starts unless all of them are valid.
func (r *run) policies() ([]runtime.Object, error) {
	documents, err := policyFiles{in: r.streams.In, notes: r.streams.Err}.readValid(r.files)
	if err != nil {
		return nil, err
	}
	var objects []runtime.Object
	for i := range documents {
		if object := documents[i].Object; object != nil {
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// openAlerts opens the file before any policy is in force: one for the host might forbid that.
func (r *run) openAlerts(o *runner.Options) (closeAlerts func() error, err error) {
	switch strings.TrimSpace(r.alerts) {
	case "":
		o.Alerts = runner.Lines(r.streams.Err)
	case stdin:
		o.Alerts = runner.JSONLines(r.streams.Out)
	default:
		f, err := os.OpenFile(r.alerts, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open file for alerts: %w", err)
		}
		o.Alerts = runner.JSONLines(f)
		return f.Close, nil
	}
	return func() error { return nil }, nil
}
