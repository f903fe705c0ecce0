// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	operator "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

func TestReasonsAreThoseOfTheAPI(t *testing.T) {
	for have, want := range map[string]string{
		ReasonKernelTooOld:     operator.ReasonKernelTooOld,
		ReasonNoBTF:            operator.ReasonNoBTF,
		ReasonLSMInactive:      operator.ReasonLSMInactive,
		ReasonVerifierRejected: operator.ReasonVerifierRejected,
		ReasonAttachRefused:    operator.ReasonAttachRefused,
		ReasonDenialNotSeen:    operator.ReasonDenialNotSeen,
		ReasonCgroupV1:         operator.ReasonCgroupV1,
		ReasonNoBPFFS:          operator.ReasonNoBPFFS,
		ReasonPermissionDenied: operator.ReasonPermissionDenied,
		ReasonProbeFailed:      operator.ReasonProbeFailed,
		ReasonTableFull:        operator.ReasonTableFull,
		ReasonCoreLoadFailed:   operator.ReasonCoreLoadFailed,
		ReasonTimedOut:         operator.ReasonTimedOut,
	} {
		if have != want {
			t.Errorf("%q is not %q", have, want)
		}
	}
}

func TestTheTinyProgramRunsHere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tiny")
	if err := os.WriteFile(path, tinyProgram(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(path).Run(); err != nil {
		t.Error(err)
	}
}

func TestOwnCgroupIsLookedForWhereItIsMounted(t *testing.T) {
	const onlyV1 = "36 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	const v2 = "35 30 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
	tests := map[string]struct {
		own, mounts string
		want        []string
	}{
		"on a host":                     {"0::/user.slice/a\n", v2, []string{"/sys/fs/cgroup/user.slice/a"}},
		"in a cgroup namespace":         {"0::/\n", v2, []string{"/sys/fs/cgroup"}},
		"in a container without one":    {"0::/kubepods/pod1/c1\n", "35 30 0:29 /kubepods/pod1/c1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n", []string{"/sys/fs/cgroup"}},
		"not below what is mounted":     {"0::/kubepods/pod1/c1\n", "35 30 0:29 /kubepods/pod2 /sys/fs/cgroup ro - cgroup2 cgroup rw\n", nil},
		"beside v1 hierarchies":         {"4:memory:/x\n0::/y\n", onlyV1 + "37 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", []string{"/sys/fs/cgroup/unified/y"}},
		"v1 only":                       {"4:memory:/x\n", onlyV1, nil},
		"v2 without a mount":            {"0::/y\n", onlyV1, nil},
		"the host's and the own mount":  {"0::/\n", v2 + "40 30 0:29 /../.. /host/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", []string{"/sys/fs/cgroup"}},
		"something that is not a mount": {"0::/\n", "garbage\n", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, cgroupDirs(test.own, test.mounts)); diff != "" {
				t.Errorf("folders (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheCanarySaysWhyItCannotSing(t *testing.T) {
	err := Canary(t.Context(), ModeEnforce, filepath.Join(t.TempDir(), "missing"))
	var refusal *CanaryError
	if !errors.As(err, &refusal) || (refusal.Reason != ReasonProbeFailed && refusal.Reason != ReasonCgroupV1) {
		t.Errorf("got %v, want reason %s, or %s on such a machine", err, ReasonProbeFailed, ReasonCgroupV1)
	}
}
