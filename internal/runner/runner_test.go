// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

// fakeCore tells its events once the set is applied, the last of them late.
type fakeCore struct {
	mu      sync.Mutex
	applied bool
	refuse  error
	events  []enforcer.Event
	lost    uint64
}

func (c *fakeCore) Apply(context.Context, compile.Set) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applied = true
	return c.refuse
}

func (c *fakeCore) Run(ctx context.Context, handle func(enforcer.Event)) error {
	for _, e := range c.events {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(quiet / 2):
			handle(e)
		}
	}
	<-ctx.Done()
	return nil
}

func (c *fakeCore) Stats() (enforcer.Stats, error) {
	return enforcer.Stats{Drops: map[string]uint64{"denial_ring_full": c.lost}}, nil
}

func (c *fakeCore) Close() error { return nil }

// nowhere is no cgroup.
type nowhere struct{ killed bool }

func (*nowhere) FD() int       { return -1 }
func (n *nowhere) Kill() error { n.killed = true; return nil }

func fakePlan(t *testing.T) plan {
	t.Helper()
	p, err := newPlan(Options{Subject: Subject{Every: true}, Policies: objects(ofWeb("/bin/x"))}, compile.Cgroup{ID: 77, Level: 1, Path: "/own"}, enforcer.Abilities())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run a command, with what it prints in a file.
func runFake(t *testing.T, core *fakeCore, alerts AlertWriter, command ...string) (code int, out, notes string, err error) {
	t.Helper()
	stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdout.Close() }()
	var text bytes.Buffer
	where := &nowhere{}
	code, err = enforce(t.Context(), Options{
		Command: command, Stdout: stdout, Stderr: stdout, Alerts: alerts, Notes: &text,
	}, fakePlan(t), core, where)
	if !core.applied || !where.killed && core.refuse == nil {
		t.Errorf("applied %v, killed %v", core.applied, where.killed)
	}
	printed, readErr := os.ReadFile(stdout.Name())
	return code, string(printed), text.String(), errors.Join(err, readErr)
}

func TestTheExitStatusIsThatOfTheCommand(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	tests := map[string]struct {
		command []string
		code    int
		out     string
		start   int
	}{
		"success":                           {[]string{"sh", "-c", "echo hello"}, 0, "hello\n", 0},
		"failure":                           {[]string{"sh", "-c", "exit 42"}, 42, "", 0},
		"a signal":                          {[]string{"sh", "-c", "kill -9 $$"}, 137, "", 0},
		"a command that is not there":       {[]string{missing}, 0, "", ExitNotFound},
		"a command that is not on the PATH": {[]string{"no-such-command-anywhere"}, 0, "", ExitNotFound},
		"a command that is no program":      {[]string{t.TempDir()}, 0, "", ExitNotExecutable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, out, _, err := runFake(t, &fakeCore{}, JSONLines(io.Discard), tt.command...)
			var start *StartError
			if errors.As(err, &start) != (tt.start != 0) || start != nil && start.Code != tt.start {
				t.Fatalf("error %v, want start error %d", err, tt.start)
			}
			if code != tt.code || out != tt.out {
				t.Errorf("exit status %d, output %q; want %d, %q", code, out, tt.code, tt.out)
			}
		})
	}
}

func TestNothingStartsWithoutThePoliciesInForce(t *testing.T) {
	full := errors.New("table full")
	_, out, _, err := runFake(t, &fakeCore{refuse: full}, JSONLines(io.Discard), "sh", "-c", "echo started")
	if !errors.Is(err, full) || out != "" {
		t.Errorf("error %v, output %q", err, out)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := runCommand(stopped, Options{Command: []string{"true"}}, &nowhere{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

func TestSignalsAreTheCommands(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdout.Close() }()
	ended := make(chan int, 1)
	go func() {
		code, err := runCommand(t.Context(), Options{
			Command: []string{"sh", "-c", "trap 'echo term; exit 7' TERM; echo ready; while :; do sleep 0.05; done"}, Stdout: stdout,
		}, &nowhere{})
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	for printed := ""; printed != "ready\n"; time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(stdout.Name())
		printed = string(text)
	}
	if err := self.Signal(forwarded()[3]); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-ended:
		if text, _ := os.ReadFile(stdout.Name()); code != 7 || string(text) != "ready\nterm\n" {
			t.Errorf("exit status %d, output %q", code, text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the command did not get the signal")
	}
}

func TestEveryAlertIsWrittenBeforeTheEnd(t *testing.T) {
	plan := fakePlan(t)
	var id compile.RuleID
	for id = range plan.compiled.Rules {
	}
	event := enforcer.Event{
		Operation: enforcer.OperationExec, Action: compile.ActionBlock, Denied: true, Rule: id, Cgroup: 77,
		HostPID: 12, Resource: "/bin/x", Source: "/bin/sh\x1b[2J",
	}
	ofHost := event
	ofHost.Cgroup, ofHost.Denied = 1, false
	core := &fakeCore{events: []enforcer.Event{event, event, ofHost}, lost: 3}
	var out bytes.Buffer
	_, _, notes, err := runFake(t, core, JSONLines(&out), "true")
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for line := range strings.Lines(out.String()) {
		var a telemetry.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		types = append(types, a.Type+" "+a.PolicyName)
	}
	if got := strings.Join(types, ", "); got != "MatchedPolicy web, MatchedPolicy web, MatchedHostPolicy web" {
		t.Errorf("alerts: %s", got)
	}
	if notes != "karmor: warning: 3 alerts were lost: they came faster than they could be written\n" {
		t.Errorf("notes: %q", notes)
	}
	out.Reset()
	if _, _, _, err := runFake(t, core, Lines(&out), "true"); err != nil {
		t.Fatal(err)
	}
	const want = "karmor: blocked: Process /bin/x by /bin/sh?[2J (PID 12): policy web, spec.process.matchPaths[0]\n"
	if got := out.String(); !strings.HasPrefix(got, want+want) || !strings.Contains(got, "karmor: audited: ") {
		t.Errorf("text:\n%s", got)
	}
}
