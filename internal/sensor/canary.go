// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// eventTime is how long an event may take from the kernel to us, on a slow and busy machine.
const eventTime = 5 * time.Second

// The rules of the canary's policy.
const (
	canaryOpenRule compile.RuleID = 0xca9a41
	canaryExecRule compile.RuleID = 0xca9a42
)

// Canary loads and attaches the real core, unpinned and with a policy for this process's own cgroup only, and does the
// operations that it must see: first allowed ones, then an open and an exec that must be denied (enforce) or reported
// (observe). Its files are made below dir. Nil means that it was seen; otherwise the error is a *CanaryError.
func Canary(ctx context.Context, mode Mode, dir string) error {
	_, err := Report(ctx, mode, dir)
	return err
}

// Report is Canary, and says what the core does not judge all the same (Stats.NotJudged).
func Report(ctx context.Context, mode Mode, dir string) (notJudged []string, err error) {
	k, err := newCanary(mode, dir)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(k.dir)
	core, err := Open(ctx, Options{Mode: mode})
	if err != nil {
		return nil, canaryLoadError(err)
	}
	defer core.Close()
	return Stats{Missing: core.missing}.NotJudged(), k.sing(ctx, core)
}

func canaryLoadError(err error) error {
	var load *LoadError
	if errors.As(err, &load) {
		return &CanaryError{Reason: load.Reason, Cause: load.Cause, Err: load.Err}
	}
	return &CanaryError{Reason: ReasonCoreLoadFailed, Cause: "the core could not be loaded", Err: err}
}

// canary is one folder of files to open and execute.
type canary struct {
	mode   Mode
	dir    string
	cgroup compile.CgroupID
}

func newCanary(mode Mode, dir string) (*canary, error) {
	cgroup, err := ownCgroup()
	if err != nil {
		return nil, &CanaryError{Reason: ReasonCgroupV1, Cause: "workloads are identified by cgroup v2, which is not mounted here", Err: err}
	}
	k := &canary{mode: mode, cgroup: cgroup}
	if k.dir, err = makeCanaryDir(dir); err == nil {
		err = k.writeFiles()
	}
	if err == nil {
		err = k.control()
	}
	if err != nil {
		os.RemoveAll(k.dir)
		return nil, &CanaryError{Reason: ReasonProbeFailed, Cause: "the canary's files cannot be used even without the core: give it a writable folder that is not mounted noexec", Err: err}
	}
	return k, nil
}

func makeCanaryDir(dir string) (string, error) {
	made, err := os.MkdirTemp(dir, "kubearmor-canary-")
	if err != nil {
		return "", err
	}
	// The kernel knows the path without symlinks.
	real, err := filepath.EvalSymlinks(made)
	if err != nil {
		return made, err
	}
	return filepath.Abs(real)
}

func (k *canary) path(name string) string { return filepath.Join(k.dir, name) }

func (k *canary) writeFiles() error {
	for _, name := range []string{"open", "exec", "control"} {
		if err := os.WriteFile(k.path(name), tinyProgram(), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (k *canary) open(name string) error {
	f, err := os.Open(k.path(name))
	if err != nil {
		return err
	}
	return f.Close()
}

func (k *canary) exec(name string) error { return exec.Command(k.path(name)).Run() }

// control is what must succeed before the policy is there.
func (k *canary) control() error {
	for _, name := range []string{"open", "exec", "control"} {
		if err := errors.Join(k.open(name), k.exec(name)); err != nil {
			return err
		}
	}
	return nil
}

func (k *canary) policy() compile.Set {
	profile := compile.Profile{ID: 0xca9a40, Rules: []compile.Rule{
		{ID: canaryOpenRule, Domain: compile.DomainFile, Match: compile.MatchPath, Action: compile.ActionBlock, Path: k.path("open")},
		{ID: canaryExecRule, Domain: compile.DomainProcess, Match: compile.MatchPath, Action: compile.ActionBlock, Path: k.path("exec")},
	}}
	set := compile.Set{Generation: 1, Profiles: []compile.Profile{profile}, Bindings: map[compile.Cgroup]compile.ProfileID{}}
	set.Bindings[compile.Cgroup{ID: k.cgroup, Path: "own"}] = profile.ID
	return set
}

// sing does the operations and waits for their events.
func (k *canary) sing(ctx context.Context, core *Core) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan Event, 64)
	ended := make(chan error, 1)
	go func() {
		ended <- core.Run(ctx, func(e Event) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
	}()
	defer func() {
		cancel()
		if runErr := <-ended; runErr != nil && err == nil {
			err = &CanaryError{Reason: ReasonCoreLoadFailed, Cause: "the core's events could not be read", Err: runErr}
		}
	}()
	if err := core.applyAnyLevel(ctx, k.policy()); err != nil {
		return &CanaryError{Reason: ReasonCoreLoadFailed, Cause: "the canary's policy could not be written", Err: err}
	}
	if err := k.judge("open", k.open("open")); err != nil {
		return err
	}
	if err := k.judge("exec", k.exec("exec")); err != nil {
		return err
	}
	if err := errors.Join(k.open("control"), k.exec("control")); err != nil {
		return &CanaryError{Reason: ReasonDenialNotSeen, Cause: "an operation that no rule matches was refused", Err: err}
	}
	return k.await(ctx, events, map[compile.RuleID]string{canaryOpenRule: "open", canaryExecRule: "exec"})
}

// judge compares how an operation ended with how it must end in this mode.
func (k *canary) judge(operation string, err error) error {
	denied := errors.Is(err, unix.EACCES)
	switch {
	case k.mode == ModeEnforce && err == nil:
		return &CanaryError{Reason: ReasonDenialNotSeen, Cause: fmt.Sprintf("the core is attached, and an %s that it must deny succeeded", operation)}
	case k.mode == ModeObserve && err != nil, k.mode == ModeEnforce && !denied:
		return &CanaryError{Reason: ReasonDenialNotSeen, Cause: fmt.Sprintf("an %s ended in an unexpected way", operation), Err: err}
	}
	return nil
}

func (k *canary) await(ctx context.Context, events <-chan Event, missing map[compile.RuleID]string) error {
	deadline := time.After(eventTime)
	for len(missing) > 0 {
		select {
		case e := <-events:
			if e.Denied == (k.mode == ModeEnforce) && e.Resource == k.path(missing[e.Rule]) {
				delete(missing, e.Rule)
			}
		case <-deadline:
			return &CanaryError{Reason: k.lateness(), Cause: fmt.Sprintf("no event of these operations came within %s: %v", eventTime, missing)}
		case <-ctx.Done():
			return &CanaryError{Reason: ReasonTimedOut, Cause: "interrupted while waiting for events", Err: ctx.Err()}
		}
	}
	return nil
}

// lateness is what a missing event means: where the denial itself was seen, that the machine is slow; where there was only
// the event to go by, that nothing was seen.
func (k *canary) lateness() string {
	if k.mode == ModeEnforce {
		return ReasonTimedOut
	}
	return ReasonDenialNotSeen
}

// applyAnyLevel is Apply for cgroups whose level is not known: all levels are looked at.
func (c *Core) applyAnyLevel(ctx context.Context, set compile.Set) error {
	return c.apply(ctx, set, func(header *binding) {
		header.LevelCount = uint32(maxLevels)
		for i := range header.Levels {
			header.Levels[i] = uint8(maxLevels - 1 - i)
		}
	})
}
