// SPDX-License-Identifier: Apache-2.0

// Package facts finds out what a node is and what it can enforce, by trying it.
package facts

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// Deadlines. Loading the core on an emulated arm64 machine takes about 20 s, and a runtime that starts many containers at
// once answers late; everything else answers at once or never.
const (
	DefaultTimeout  = 180 * time.Second
	runtimeTimeout  = 30 * time.Second
	appArmorTimeout = 20 * time.Second
	// For a kernel that hangs. A node is not unable because it is busy, and the core takes an idle emulated one 10 s.
	canaryTimeout = 100 * time.Second
)

// Environment of the probe Pod.
const (
	// EnvHostRoot is where the Pod has the host's folders mounted. Unset means that the probe runs on the host itself.
	EnvHostRoot = "HOST_ROOT"
	// EnvPodUID is the UID of the probe's own Pod, by which the runtime that really runs it is known.
	EnvPodUID = "POD_UID"
)

// Roots are the host's folders as this process sees them.
type Roots struct{ Sys, Run, Proc string }

// Options of a probe.
type Options struct {
	Roots Roots
	// Container says that this process is not in the host's own root folder.
	Container bool
	// PodUID of the probe's own Pod, empty outside of one.
	PodUID string
	// Scratch is a writable folder for the canaries' files.
	Scratch string
	// Timeout of the whole probe.
	Timeout time.Duration
	// Canary is sensor.Report unless set.
	Canary func(ctx context.Context, mode sensor.Mode, dir string) (notJudged []string, err error)
}

// OptionsFromEnv are the options of this process, in the probe Pod or on a host.
func OptionsFromEnv(getenv func(string) string) Options {
	root := cmp.Or(getenv(EnvHostRoot), "/")
	return Options{
		Roots:     Roots{Sys: filepath.Join(root, "sys"), Run: filepath.Join(root, "run"), Proc: "/proc"},
		Container: root != "/",
		PodUID:    getenv(EnvPodUID),
		Scratch:   os.TempDir(),
	}
}

// Probe looks at the node. It never fails: what cannot be found out is Unknown, with the cause. The result's JSON is
// at most v1.MaxFactsBytes long, and it is back within the timeout whatever the kernel or a runtime does.
func Probe(ctx context.Context, o Options) v1.NodeFacts {
	if o.Canary == nil {
		o.Canary = sensor.Report
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeout, DefaultTimeout))
	defer cancel()
	f := static(o, os.DirFS(o.Roots.Sys), os.DirFS(o.Roots.Proc))
	f.Distribution = distribution(o)
	f.Runtime = within(ctx, runtimeTimeout, runtimeTimedOut, func(ctx context.Context) v1.RuntimeFact {
		return probeRuntime(ctx, o)
	})
	f.AppArmor = within(ctx, appArmorTimeout, timedOut, func(ctx context.Context) v1.Fact {
		return probeAppArmor(ctx, o.Roots.Sys, f)
	})
	f.BPFLSM = within(ctx, canaryTimeout, timedOut, func(ctx context.Context) v1.Fact {
		if len(f.LSMs) > 0 && !slices.Contains(f.LSMs, "bpf") {
			// Such a kernel may well load and attach the programs, which takes long, and then never calls them.
			return no(v1.ReasonLSMInactive, "the kernel lists its active LSMs, and bpf is not among them")
		}
		return canaryFact(canary(ctx, o, sensor.ModeEnforce))
	})
	// A core that enforces observes too; to load it once more would take as long again.
	if f.BPFLSM.State == v1.FactYes {
		f.Observe = f.BPFLSM
		return fit(sanitize(f))
	}
	// One that is late may still be at it, and another beside it would be late, too.
	if f.BPFLSM.Reason == v1.ReasonTimedOut {
		f.Observe = unknown(v1.ReasonTimedOut, "not tried, as the canary of BPF-LSM did not end in time")
		return fit(sanitize(f))
	}
	f.Observe = within(ctx, canaryTimeout, timedOut, func(ctx context.Context) v1.Fact {
		return canaryFact(canary(ctx, o, sensor.ModeObserve))
	})
	return fit(sanitize(f))
}

// static are the facts that files tell.
func static(o Options, sys, proc fs.FS) v1.NodeFacts {
	mounts := readMounts(proc)
	f := v1.NodeFacts{
		SchemaVersion: v1.FactsSchemaVersion,
		Arch:          runtime.GOARCH,
		BootID:        word(proc, "sys/kernel/random/boot_id"),
		Kernel:        cmp.Or(word(proc, "sys/kernel/osrelease"), "unknown"),
		LSMs:          parseLSMs(word(sys, "kernel/security/lsm")),
		BTF:           parseBTF(readBTF(sys)),
		Seccomp:       parseSeccomp(readSeccomp(proc)),
		CgroupVersion: parseCgroup(mounts.at(filepath.Join(o.Roots.Sys, "fs/cgroup"))),
		BPFFS:         parseMount(mounts, filepath.Join(o.Roots.Sys, "fs/bpf"), "bpf", v1.ReasonNoBPFFS),
		SecurityFS:    parseMount(mounts, filepath.Join(o.Roots.Sys, "kernel/security"), "securityfs", v1.ReasonNotPresent),
		AppArmorFS:    readAppArmorFS(sys),
	}
	f.SELinux = parseSELinux(readSELinux(sys), f.LSMs)
	return f
}

// within bounds one fact. A fact that ignores its context is left behind: the process ends soon after.
func within[T any](ctx context.Context, d time.Duration, late func(time.Duration) T, find func(context.Context) T) T {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if ctx.Err() != nil {
		return late(d)
	}
	found := make(chan T, 1)
	go func() { found <- find(ctx) }()
	select {
	case t := <-found:
		return t
	case <-ctx.Done():
	}
	// The fact may know better than "too late", when it heeds its context.
	select {
	case t := <-found:
		return t
	case <-time.After(time.Second):
		return late(d)
	}
}

func timedOut(d time.Duration) v1.Fact {
	return unknown(v1.ReasonTimedOut, fmt.Sprintf("no answer within %s, or the probe's time was up", d))
}

func runtimeTimedOut(d time.Duration) v1.RuntimeFact {
	return v1.RuntimeFact{Fact: timedOut(d)}
}

func yes() v1.Fact { return v1.Fact{State: v1.FactYes} }

func no(reason, cause string) v1.Fact {
	return v1.Fact{State: v1.FactNo, Reason: reason, Cause: cause}
}

func unknown(reason, cause string) v1.Fact {
	return v1.Fact{State: v1.FactUnknown, Reason: reason, Cause: cause}
}
