// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/internal/support"
)

func TestCanaryFacts(t *testing.T) {
	attach := &sensor.CanaryError{Reason: sensor.ReasonAttachRefused, Cause: "attach lsm/file_open", Err: errors.New("create raw tracepoint: not supported")}
	unseen := &sensor.CanaryError{Reason: sensor.ReasonDenialNotSeen, Cause: "open was allowed"}
	tests := []struct {
		name string
		err  error
		want v1.Fact
	}{
		{"a denial that was seen is Yes", nil, yes()},
		{
			"a refused attach is No with the kernel's words", attach,
			no(v1.ReasonAttachRefused, "attach lsm/file_open: create raw tracepoint: not supported"),
		},
		{"a wrapped error is found", errors.Join(errors.New("x"), attach), no(v1.ReasonAttachRefused, "attach lsm/file_open: create raw tracepoint: not supported")},
		{"a denial that was not seen is No", unseen, no(v1.ReasonDenialNotSeen, "open was allowed")},
		{
			"want of privilege is Unknown", &sensor.CanaryError{Reason: sensor.ReasonPermissionDenied, Cause: "load", Err: unix.EPERM},
			unknown(v1.ReasonPermissionDenied, "load: operation not permitted"),
		},
		{"an error of another kind is Unknown", errors.New("no space left"), unknown(v1.ReasonCanaryFailed, "no space left")},
		{"a canary without a reason is Unknown", &sensor.CanaryError{Cause: "?"}, unknown(v1.ReasonCanaryFailed, "?")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, canaryFact(nil, tt.err)); diff != "" {
				t.Errorf("fact (-want +got):\n%s", diff)
			}
		})
	}
}

// emptyHost is a host on which nothing is to be seen.
func emptyHost(t *testing.T) Options {
	dir := t.TempDir()
	return Options{
		Roots:     Roots{Sys: filepath.Join(dir, "sys"), Run: filepath.Join(dir, "run"), Proc: filepath.Join(dir, "proc")},
		Container: true,
		Scratch:   dir,
		Canary: func(_ context.Context, mode sensor.Mode, _ string) ([]string, error) {
			return nil, &sensor.CanaryError{Reason: sensor.ReasonPermissionDenied, Cause: string(mode)}
		},
	}
}

func TestProbeOfAnUnseeableHostIsUnknownAndAccepted(t *testing.T) {
	f := Probe(t.Context(), emptyHost(t))
	b, err := Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, reason, err := support.DecodeFacts(b); err != nil {
		t.Errorf("%s: %v", reason, err)
	}
	for name, fact := range map[string]v1.Fact{
		"bpfLSM": f.BPFLSM, "observe": f.Observe, "appArmor": f.AppArmor, "seLinux": f.SELinux.Fact, "bpfFS": f.BPFFS, "runtime": f.Runtime.Fact,
	} {
		if fact.State != v1.FactUnknown || fact.Reason == "" || fact.Cause == "" {
			t.Errorf("%s is %+v, want Unknown with a reason and a cause", name, fact)
		}
	}
}

func TestProbeComesBackWhenACanaryDoesNot(t *testing.T) {
	o := emptyHost(t)
	o.Timeout = 200 * time.Millisecond
	hang := make(chan struct{})
	defer close(hang)
	o.Canary = func(context.Context, sensor.Mode, string) ([]string, error) { <-hang; return nil, nil }
	start := time.Now()
	f := Probe(t.Context(), o)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	if f.BPFLSM.State != v1.FactUnknown || f.BPFLSM.Reason != v1.ReasonTimedOut || f.Observe.Reason != v1.ReasonTimedOut {
		t.Errorf("bpfLSM %+v, observe %+v; want Unknown, TimedOut", f.BPFLSM, f.Observe)
	}
}

func TestACanaryIsTriedWhereItsOutcomeIsNotKnown(t *testing.T) {
	chown := v1.Fact{State: v1.FactYes, Cause: "the kernel has no hook for chown, so rules do not hold for that"}
	inactive := no(v1.ReasonLSMInactive, "the kernel lists its active LSMs, and bpf is not among them")
	refused := no(v1.ReasonAttachRefused, "no")
	tests := []struct {
		name    string
		lsms    string
		enforce error
		tried   []sensor.Mode
		want    []v1.Fact
	}{
		{"what enforces observes", "capability,bpf", nil, []sensor.Mode{sensor.ModeEnforce}, []v1.Fact{chown, chown}},
		{"so it does where the list cannot be seen", "", nil, []sensor.Mode{sensor.ModeEnforce}, []v1.Fact{chown, chown}},
		{"a hook that is never called is not tried", "capability,apparmor", nil, []sensor.Mode{sensor.ModeObserve}, []v1.Fact{inactive, yes()}},
		{
			"what does not enforce may observe", "capability,bpf", &sensor.CanaryError{Reason: sensor.ReasonAttachRefused, Cause: "no"},
			[]sensor.Mode{sensor.ModeEnforce, sensor.ModeObserve},
			[]v1.Fact{refused, yes()},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := emptyHost(t)
			security := filepath.Join(o.Roots.Sys, "kernel/security")
			if err := errors.Join(os.MkdirAll(security, 0o700), os.WriteFile(filepath.Join(security, "lsm"), []byte(tt.lsms), 0o600)); err != nil {
				t.Fatal(err)
			}
			var tried []sensor.Mode
			o.Canary = func(_ context.Context, mode sensor.Mode, _ string) ([]string, error) {
				tried = append(tried, mode)
				if mode == sensor.ModeEnforce {
					return []string{"chown"}, tt.enforce
				}
				return nil, nil
			}
			f := Probe(t.Context(), o)
			if diff := cmp.Diff(tt.tried, tried); diff != "" {
				t.Errorf("tried (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, []v1.Fact{f.BPFLSM, f.Observe}); diff != "" {
				t.Errorf("bpfLSM and observe (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCanaryGetsAFolderOfItsOwnAndLeavesNone(t *testing.T) {
	o := emptyHost(t)
	var dirs []string
	o.Canary = func(_ context.Context, mode sensor.Mode, dir string) ([]string, error) {
		dirs = append(dirs, dir)
		return nil, errors.Join(os.WriteFile(filepath.Join(dir, "x"), nil, 0o600), errors.New(string(mode)))
	}
	Probe(t.Context(), o)
	if len(dirs) != 2 || dirs[0] == dirs[1] {
		t.Errorf("folders %v", dirs)
	}
	for _, d := range dirs {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", d, err)
		}
	}
	o.Scratch = filepath.Join(o.Scratch, "missing")
	if f := Probe(t.Context(), o); f.BPFLSM.Reason != v1.ReasonCanaryFailed || !strings.Contains(f.BPFLSM.Cause, "missing") {
		t.Errorf("without a folder: %+v", f.BPFLSM)
	}
}

func TestOptionsFromEnv(t *testing.T) {
	env := map[string]string{EnvHostRoot: "/host", EnvPodUID: "u"}
	got := OptionsFromEnv(func(k string) string { return env[k] })
	if want := (Roots{Sys: "/host/sys", Run: "/host/run", Proc: "/proc"}); got.Roots != want || !got.Container || got.PodUID != "u" {
		t.Errorf("in the Pod: %+v", got)
	}
	got = OptionsFromEnv(func(string) string { return "" })
	if want := (Roots{Sys: "/sys", Run: "/run", Proc: "/proc"}); got.Roots != want || got.Container {
		t.Errorf("on the host: %+v", got)
	}
}

func TestAppArmorIsNotTriedWhereItIsNotThere(t *testing.T) {
	f := v1.NodeFacts{LSMs: []string{"capability", "bpf"}, AppArmorFS: yes()}
	if diff := cmp.Diff(no(v1.ReasonLSMInactive, "apparmor is not among the active LSMs"), probeAppArmor(t.Context(), "/", f)); diff != "" {
		t.Error(diff)
	}
	f = v1.NodeFacts{AppArmorFS: no(v1.ReasonNotPresent, "gone")}
	if diff := cmp.Diff(unknown(v1.ReasonNotPresent, "gone"), probeAppArmor(t.Context(), "/", f)); diff != "" {
		t.Error(diff)
	}
}

func TestAKernelThatDoesNotTakeTheProfileLeavesAppArmorUnknown(t *testing.T) {
	dir := t.TempDir()
	f := tryAppArmor(t.Context(), dir)
	if f.State != v1.FactUnknown || f.Reason != v1.ReasonProfileRefused || !strings.Contains(f.Cause, ".replace") {
		t.Errorf("without .replace: %+v", f)
	}
	// A kernel that takes the profile but does not know it afterwards: the child must say that it could not take it on.
	for _, name := range []string{".replace", ".remove"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f = tryAppArmor(t.Context(), dir)
	if f.State != v1.FactUnknown || f.Reason != v1.ReasonCanaryFailed || !strings.Contains(f.Cause, "take on the canary profile") {
		t.Errorf("with a kernel that forgets: %+v", f)
	}
	removed, err := os.ReadFile(filepath.Join(dir, ".remove"))
	if err != nil || !strings.HasPrefix(string(removed), "kubearmor-canary-") {
		t.Errorf("removed %q, %v", removed, err)
	}
}

func TestChildIsOnlyItsOwnArguments(t *testing.T) {
	for _, args := range [][]string{{"karmor"}, {"karmor", childArgument}, {"karmor", "probe", "x"}} {
		if _, is := Child(args); is {
			t.Errorf("%q was taken for the child", args)
		}
	}
}

func TestDenyAllIsSerializedAsTheKernelReadsIt(t *testing.T) {
	want := "\x04\x08\x00version\x00\x02\x07\x00\x00\x00" + // interface version 7
		"\x04\x08\x00profile\x00\x07" + "\x05\x02\x00p\x00" +
		"\x04\x06\x00flags\x00\x07" + strings.Repeat("\x02\x00\x00\x00\x00", 3) + "\x08" +
		strings.Repeat("\x02\x00\x00\x00\x00", 4) + "\x08"
	if diff := cmp.Diff(want, string(denyAll("p"))); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}
