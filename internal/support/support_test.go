// SPDX-License-Identifier: Apache-2.0

package support

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// capable is a node on which everything works; each test takes one thing away.
func capable(change ...func(*v1.NodeFacts)) v1.NodeFacts {
	ok := v1.Fact{State: v1.FactYes}
	f := v1.NodeFacts{
		SchemaVersion: v1.FactsSchemaVersion,
		BootID:        "8df6fe46-08c8-4cfe-8d17-834333b6d611",
		Kernel:        "6.12.117+deb12-cloud-amd64",
		Arch:          "amd64",
		Distribution:  v1.Distribution{ID: "debian", VersionID: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		LSMs:          []string{"lockdown", "capability", "landlock", "yama", "apparmor", "bpf"},
		BTF:           ok, BPFLSM: ok, Observe: ok, Seccomp: ok, BPFFS: ok, SecurityFS: ok, AppArmorFS: ok,
		AppArmor:      v1.Fact{State: v1.FactNo, Reason: v1.ReasonLSMInactive},
		SELinux:       v1.SELinuxFact{Fact: v1.Fact{State: v1.FactNo, Reason: v1.ReasonLSMInactive}, Mode: "disabled"},
		CgroupVersion: 2,
		Runtime: v1.RuntimeFact{
			Fact: ok, Name: "containerd", Version: "v1.6.20",
			Socket: "/run/containerd/containerd.sock", NRISocket: "/run/nri/nri.sock",
		},
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func failed(reason, cause string) func(*v1.NodeFacts) {
	return func(f *v1.NodeFacts) { f.BPFLSM = v1.Fact{State: v1.FactNo, Reason: reason, Cause: cause} }
}

func TestDecide(t *testing.T) {
	attach := failed(v1.ReasonAttachRefused, "attach lsm/file_open: create raw tracepoint: not supported")
	apparmor := func(f *v1.NodeFacts) { f.AppArmor = v1.Fact{State: v1.FactYes} }
	arm := func(f *v1.NodeFacts) { f.Arch, f.Kernel = "arm64", "6.1.0-56-cloud-arm64" }
	withoutBPF := func(f *v1.NodeFacts) { f.LSMs = []string{"lockdown", "capability", "apparmor", "ima", "evm"} }
	tests := []struct {
		name     string
		facts    v1.NodeFacts
		enforcer v1.Enforcer
		reason   string
		says     []string
	}{
		{"a node whose denial was seen gets BPF-LSM", capable(), v1.EnforcerBPF, v1.ReasonEnforcing, []string{"denied the canary"}},
		{
			"a kernel that lists bpf and refuses to attach does not get BPF-LSM, and its words are shown", capable(arm, attach),
			v1.EnforcerNone, v1.ReasonAttachRefused,
			[]string{"create raw tracepoint: not supported", "6.4 or later"},
		},
		{
			"what the node has instead is said", capable(arm, attach, apparmor),
			v1.EnforcerNone, v1.ReasonAttachRefused,
			[]string{"AppArmor was seen denying", "no AppArmor backend yet"},
		},
		{
			"without bpf among the LSMs the remedy is the whole boot parameter", capable(withoutBPF, failed(v1.ReasonLSMInactive, "the list lacks it")),
			v1.EnforcerNone, v1.ReasonLSMInactive,
			[]string{"boot with lsm=lockdown,apparmor,bpf"},
		},
		{
			"a denial that was seen outranks a list of LSMs without bpf", capable(withoutBPF),
			v1.EnforcerBPF, v1.ReasonEnforcing, nil,
		},
		{
			"an old kernel is named before the missing BTF that comes with it",
			capable(failed(v1.ReasonNoBTF, ""), func(f *v1.NodeFacts) {
				f.Kernel, f.BTF = "4.18.0-553.el8.x86_64", v1.Fact{State: v1.FactNo, Reason: v1.ReasonNoBTF}
			}),
			v1.EnforcerNone, v1.ReasonKernelTooOld,
			[]string{"4.18.0-553.el8.x86_64", "upgrade"},
		},
		{
			"an old kernel whose vendor backported BPF-LSM is believed when it denies",
			capable(func(f *v1.NodeFacts) { f.Kernel = "4.18.0-553.el8.x86_64" }), v1.EnforcerBPF, v1.ReasonEnforcing, nil,
		},
		{
			"a kernel without BTF is told how to get it",
			capable(failed(v1.ReasonNoBTF, ""), func(f *v1.NodeFacts) { f.BTF = v1.Fact{State: v1.FactNo} }),
			v1.EnforcerNone, v1.ReasonNoBTF,
			[]string{"CONFIG_DEBUG_INFO_BTF=y"},
		},
		{
			"cgroup v1 is refused even where the canary was denied", capable(func(f *v1.NodeFacts) { f.CgroupVersion = 1 }),
			v1.EnforcerNone, v1.ReasonCgroupV1,
			[]string{"unified_cgroup_hierarchy=1"},
		},
		{
			"a missing bpffs is refused even where the canary was denied",
			capable(func(f *v1.NodeFacts) { f.BPFFS = v1.Fact{State: v1.FactNo, Reason: v1.ReasonNoBPFFS} }),
			v1.EnforcerNone, v1.ReasonNoBPFFS,
			[]string{"mount -t bpf bpf /sys/fs/bpf"},
		},
		{
			"a verifier's refusal is passed on", capable(failed(v1.ReasonVerifierRejected, "R1 invalid mem access")),
			v1.EnforcerNone, v1.ReasonVerifierRejected,
			[]string{"R1 invalid mem access"},
		},
		{
			"want of privilege is not called inability",
			capable(func(f *v1.NodeFacts) { f.BPFLSM = v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonPermissionDenied} }),
			v1.EnforcerNone, v1.ReasonPermissionDenied,
			[]string{"as root"},
		},
		{
			"an unknown outcome without a reason still gets one", capable(func(f *v1.NodeFacts) { f.BPFLSM = v1.Fact{State: v1.FactUnknown} }),
			v1.EnforcerNone, v1.ReasonCanaryFailed,
			[]string{"not known"},
		},
		{
			"enforcing SELinux is mentioned", capable(attach, func(f *v1.NodeFacts) {
				f.SELinux = v1.SELinuxFact{Fact: v1.Fact{State: v1.FactYes}, Mode: "enforcing"}
			}), v1.EnforcerNone, v1.ReasonAttachRefused, []string{"no SELinux backend yet"},
		},
		{
			"a node that cannot even observe says so", capable(attach, func(f *v1.NodeFacts) {
				f.Observe = v1.Fact{State: v1.FactNo, Reason: v1.ReasonAttachRefused, Cause: "no kprobes"}
			}), v1.EnforcerNone, v1.ReasonAttachRefused, []string{"cannot be audited either: no kprobes"},
		},
		{
			"an unknown runtime does not take BPF-LSM away, and is mentioned", capable(func(f *v1.NodeFacts) {
				f.Runtime = v1.RuntimeFact{Fact: v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonRuntimeUnknown, Cause: "no socket"}}
			}), v1.EnforcerBPF, v1.ReasonEnforcing, []string{"before any policy is in force: no socket"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Decide(tt.facts)
			want := v1.Verdict{Enforcer: tt.enforcer, Reason: tt.reason, Message: got.Message}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			for _, s := range tt.says {
				if !strings.Contains(got.Message, s) {
					t.Errorf("message %q does not say %q", got.Message, s)
				}
			}
		})
	}
}

func TestVerdictKeepsItsBoundsWithTheLongestFacts(t *testing.T) {
	long := strings.Repeat("ü", maxFact)
	f := capable(failed(v1.ReasonAttachRefused, long), func(f *v1.NodeFacts) {
		f.Kernel = strings.Repeat("9", maxKernel)
		f.AppArmor = v1.Fact{State: v1.FactYes}
		f.SELinux.State = v1.FactYes
		f.Observe = v1.Fact{State: v1.FactNo, Cause: long}
		f.LSMs = nil
		for range maxLSMs {
			f.LSMs = append(f.LSMs, strings.Repeat("l", maxLSMName))
		}
	})
	for _, f.Arch = range []string{"amd64", "arm64"} {
		checkBounds(t, Decide(f))
	}
	f.LSMs = nil
	checkBounds(t, Decide(f))
}

func checkBounds(t *testing.T, v v1.Verdict) {
	t.Helper()
	if n := utf8.RuneCountInString(v.Message); n > maxMessage {
		t.Errorf("message has %d characters: %q", n, v.Message)
	}
	if !regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,63}$`).MatchString(v.Reason) {
		t.Errorf("reason %q cannot be a condition's", v.Reason)
	}
}

func TestKernelVersion(t *testing.T) {
	tests := map[string][2]int{
		"6.1.0-56-cloud-arm64":     {6, 1},
		"5.15.0-1053-aws":          {5, 15},
		"5.4.17-2136.el8uek":       {5, 4},
		"7.2.13+deb14-cloud-amd64": {7, 2},
		"unknown":                  {0, 0},
		"":                         {0, 0},
		"6":                        {0, 0},
	}
	for release, want := range tests {
		major, minor, ok := kernelVersion(release)
		if got := [2]int{major, minor}; got != want || ok != (want[0] != 0) {
			t.Errorf("kernelVersion(%q) = %v, %t; want %v", release, got, ok, want)
		}
	}
}
