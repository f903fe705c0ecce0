// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/runner"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

const runPolicy = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: web}
spec:
  process: {matchPaths: [{path: /bin/sleep}]}
`

// runRun runs `run` with a file of one policy; enforce stands for the kernel.
func runRun(t *testing.T, policies string, enforce func(runner.Options) (int, error), args ...string) outcome {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(policies), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "FILE", file)
	}
	var out, errs bytes.Buffer
	r := &run{streams: Streams{In: strings.NewReader(policies), Out: &out, Err: &errs}, version: "v1"}
	r.enforce = func(_ context.Context, o runner.Options) (int, error) { return enforce(o) }
	cmd := r.cobra()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(newRoot("v1", r.streams).FlagErrorFunc())
	return outcome{exitOf(cmd.ExecuteContext(t.Context()), r.streams), out.String(), strings.ReplaceAll(errs.String(), file, "FILE")}
}

func TestRunAsksForWhatTheFlagsSay(t *testing.T) {
	type asked struct {
		Subject  runner.Subject
		Host     bool
		Postures map[policy.Domain]policy.Posture
		Command  []string
		Policies []string
	}
	tests := map[string]struct {
		args []string
		want asked
	}{
		"every policy holds for a command that nothing is said of": {
			[]string{"-f", "FILE", "--", "sh", "-c", "exit"},
			asked{Subject: runner.Subject{Every: true}, Command: []string{"sh", "-c", "exit"}},
		},
		"labels make it a container of the namespace default": {
			[]string{"-f", "-", "--labels", "app=web,tier=1", "--posture", "file=block,network=allow", "--", "true"},
			asked{
				Subject:  runner.Subject{Namespace: "default", Labels: map[string]string{"app": "web", "tier": "1"}},
				Postures: map[policy.Domain]policy.Posture{policy.DomainFile: policy.PostureBlock, policy.DomainNetwork: policy.PostureAllow},
				Command:  []string{"true"},
			},
		},
		"flags after the command's name are the command's": {
			[]string{"-f", "FILE", "--host", "--namespace", "shop", "--container", "app", "sleep", "--host", "-f", "1"},
			asked{Subject: runner.Subject{Namespace: "shop", Container: "app"}, Host: true, Command: []string{"sleep", "--host", "-f", "1"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got asked
			o := runRun(t, runPolicy, func(o runner.Options) (int, error) {
				got = asked{o.Subject, o.Host, o.Postures, o.Command, names(o.Policies)}
				return 0, nil
			}, tt.args...)
			if o.code != ExitOK {
				t.Fatalf("exit code %d: %s", o.code, o.errors)
			}
			tt.want.Policies = []string{"web"}
			if tt.want.Postures == nil {
				tt.want.Postures = map[policy.Domain]policy.Posture{}
			}
			if tt.want.Subject.Labels == nil {
				tt.want.Subject.Labels = map[string]string{}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func names(objects []runtime.Object) []string {
	var all []string
	for _, o := range objects {
		if p, ok := o.(*securityv1.KubeArmorPolicy); ok {
			all = append(all, p.Name)
		}
	}
	return all
}

func TestRunEndsAsTheCommandDoes(t *testing.T) {
	invalid := strings.Replace(runPolicy, "/bin/sleep", "bin/sleep", 1)
	tests := map[string]struct {
		policies string
		code     int
		err      error
		args     []string
		want     int
		says     string
	}{
		"the command's exit status":        {runPolicy, 3, nil, []string{"-f", "FILE", "--", "x"}, 3, ""},
		"the command did not start":        {runPolicy, 0, &runner.StartError{Command: "x", Code: 127, Err: errors.New("not found")}, []string{"-f", "FILE", "--", "x"}, 127, "karmor: start x: not found\n"},
		"karmor could not enforce":         {runPolicy, 0, errors.New("BPF-LSM is not active"), []string{"-f", "FILE", "--", "x"}, 125, "karmor: BPF-LSM is not active\n"},
		"no command":                       {runPolicy, 0, nil, []string{"-f", "FILE"}, ExitUsage, "karmor: run: no command; write it after --\nRun 'karmor --help' for usage.\n"},
		"no policies":                      {runPolicy, 0, nil, []string{"--", "x"}, ExitUsage, "karmor: run: no policies; name a file or a folder with -f\nRun 'karmor --help' for usage.\n"},
		"an unknown posture":               {runPolicy, 0, nil, []string{"-f", "FILE", "--posture", "file=deny", "--", "x"}, ExitUsage, "\"deny\" is not one of block, audit, allow"},
		"an unknown flag":                  {runPolicy, 0, nil, []string{"--nonsense", "--", "x"}, ExitUsage, "unknown flag: --nonsense"},
		"a file that is not there":         {runPolicy, 0, nil, []string{"-f", "/no/such/file", "--", "x"}, 125, "karmor: /no/such/file: there is no such file or folder\n"},
		"an invalid policy starts nothing": {invalid, 0, nil, []string{"-f", "FILE", "--", "x"}, 125, "karmor: FILE:5: spec.process.matchPaths[0].path: "},
		"alerts where no file can be":      {runPolicy, 0, nil, []string{"-f", "FILE", "--alerts", "/no/such/folder/a", "--", "x"}, 125, "karmor: open file for alerts: open /no/such/folder/a: no such file or directory\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			started := false
			o := runRun(t, tt.policies, func(runner.Options) (int, error) { started = true; return tt.code, tt.err }, tt.args...)
			if o.code != tt.want || !strings.Contains(o.errors, tt.says) || tt.says == "" && o.errors != "" {
				t.Errorf("exit code %d, says %q; want %d, %q", o.code, o.errors, tt.want, tt.says)
			}
			if shouldStart := tt.code != 0 || tt.err != nil; started != shouldStart {
				t.Errorf("started: %v", started)
			}
		})
	}
}

func TestRunWritesAlertsWhereAsked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alerts.json")
	if err := os.WriteFile(file, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	enforce := func(o runner.Options) (int, error) {
		queue := telemetry.NewQueue(1)
		queue.Offer(&telemetry.Alert{PolicyName: "web", Action: "Block", Operation: "Process", Resource: "/bin/sleep", Source: "/bin/sh"})
		stopped, stop := context.WithCancel(t.Context())
		stop()
		return 0, o.Alerts(stopped, queue)
	}
	const object = `"PolicyName":"web"`
	if o := runRun(t, runPolicy, enforce, "-f", "FILE", "--", "x"); !strings.HasPrefix(o.errors, "karmor: blocked: Process /bin/sleep by /bin/sh") || o.out != "" {
		t.Errorf("without --alerts: %+v", o)
	}
	if o := runRun(t, runPolicy, enforce, "-f", "FILE", "--alerts", "-", "--", "x"); !strings.Contains(o.out, object) || o.errors != "" {
		t.Errorf("with --alerts -: %+v", o)
	}
	o := runRun(t, runPolicy, enforce, "-f", "FILE", "--alerts", file, "--", "x")
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "before\n{") || !strings.Contains(string(text), object) || o.out+o.errors != "" {
		t.Errorf("with a file: %+v, %q, %v", o, text, err)
	}
}
