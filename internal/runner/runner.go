// SPDX-License-Identifier: Apache-2.0

// Package runner enforces policies on one command, without Kubernetes: it gives the command a cgroup of its own, puts the
// policies in force for that cgroup, starts the command in it, and takes everything away when the command has ended.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

// Options of a run.
type Options struct {
	// Policies are valid KubeArmorPolicies, KubeArmorClusterPolicies and, with Host, KubeArmorHostPolicies.
	Policies []runtime.Object
	// Subject that the command is taken for: policies select it as they select a container.
	Subject Subject
	// Host: host policies hold for the whole machine until the command ends. Policies that select the command hold for
	// it instead.
	Host bool
	// Postures of the allow-lists, by DomainFile, DomainNetwork and DomainCapabilities; audit where there is none.
	Postures map[policy.Domain]policy.Posture

	// Command and its arguments. It has these files for standard input, output and error.
	Command               []string
	Stdin, Stdout, Stderr *os.File
	// Alerts are written here.
	Alerts AlertWriter
	// Notes gets a line for what the user should know and what does not stand in the way.
	Notes   io.Writer
	Version string
	Log     logr.Logger
}

// AlertWriter writes the alerts of a queue until ctx ends.
type AlertWriter func(ctx context.Context, queue *telemetry.Queue) error

// Core is what holds policies in force. *sensor.Core is one.
type Core interface {
	Apply(ctx context.Context, set compile.Set) error
	Run(ctx context.Context, handle func(enforcer.Event)) error
	Stats() (enforcer.Stats, error)
	Close() error
}

// place is where the command runs: a cgroup, or nowhere special if FD is negative.
type place interface {
	FD() int
	// Kill ends all that runs there.
	Kill() error
}

// Run runs the command and gives its exit status: 128 and the signal's number when a signal ended it. Whatever an error
// says, nothing is left behind.
func Run(ctx context.Context, o Options) (code int, err error) {
	if err := usable(); err != nil {
		return 0, err
	}
	group, err := cgroup.Make(cgroup.Top, "karmor-run")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, group.Remove()) }()
	// What is wrong with the policies shows before anything is loaded.
	if _, err := newPlan(o, group.Cgroup, enforcer.Abilities()); err != nil {
		return 0, err
	}
	// Unpinned: what holds policies in force ends with this process, also when it is killed.
	core, err := sensor.Open(ctx, sensor.Options{Mode: sensor.ModeEnforce, Cgroups: cgroup.Top, Logger: o.Log})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	stats, err := core.Stats()
	if err != nil {
		return 0, err
	}
	plan, err := newPlan(o, group.Cgroup, enforcer.AbilitiesOf(stats))
	if err != nil {
		return 0, err
	}
	plan.warn(o.Notes)
	return enforce(ctx, o, plan, core, group)
}

// enforce puts the plan in force before it starts the command, and kills what the command left running before it ends.
func enforce(ctx context.Context, o Options, plan plan, core Core, where place) (code int, err error) {
	if err := core.Apply(ctx, plan.compiled.Set); err != nil {
		return 0, fmt.Errorf("put the policies in force: %w", err)
	}
	alerts := startAlerts(o, plan, core)
	defer func() { err = errors.Join(err, alerts.stop()) }()
	code, err = runCommand(ctx, o, where)
	return code, errors.Join(err, where.Kill())
}
