// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// childArgument makes this executable the canary's child. It is hidden: people have no use for it.
const childArgument = "apparmor-canary-child"

// Exit codes of the child.
const (
	childDenied     = 0
	childNotDenied  = 10
	childNoControl  = 11
	childNotChanged = 12
)

// Child runs the AppArmor canary's child if these are its arguments. A binary that probes calls it first in main and
// exits with the code.
func Child(args []string) (code int, is bool) {
	if len(args) != 3 || args[1] != childArgument {
		return 0, false
	}
	return runChild(args[2]), true
}

// probeAppArmor loads a profile that denies everything, lets a child take it on, and believes only a denial that the
// child met. No parser is needed on the node.
func probeAppArmor(ctx context.Context, sys string, f v1.NodeFacts) v1.Fact {
	if len(f.LSMs) > 0 && !slices.Contains(f.LSMs, "apparmor") {
		return no(v1.ReasonLSMInactive, "apparmor is not among the active LSMs")
	}
	if f.AppArmorFS.State != v1.FactYes {
		return unknown(f.AppArmorFS.Reason, f.AppArmorFS.Cause)
	}
	return tryAppArmor(ctx, filepath.Join(sys, "kernel/security/apparmor"))
}

func tryAppArmor(ctx context.Context, dir string) v1.Fact {
	name := fmt.Sprintf("kubearmor-canary-%d", os.Getpid())
	if err := control(filepath.Join(dir, ".replace"), denyAll(name)); err != nil {
		return profileRefused(err)
	}
	f := childFact(ctx, name)
	if err := control(filepath.Join(dir, ".remove"), []byte(name)); err != nil {
		f.Cause = strings.TrimPrefix(f.Cause+"; the canary's profile "+name+" could not be removed: "+err.Error(), "; ")
	}
	return f
}

// control writes to one of AppArmor's control files, which take a whole request in one write.
func control(file string, request []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(request)
	return errors.Join(err, f.Close())
}

func profileRefused(err error) v1.Fact {
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return unknown(v1.ReasonPermissionDenied, "load canary profile: "+err.Error())
	}
	return unknown(v1.ReasonProfileRefused, "load canary profile: "+err.Error())
}

func childFact(ctx context.Context, profile string) v1.Fact {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", childArgument, profile)
	cmd.Stderr = &stderr
	err := cmd.Run()
	if err == nil {
		return yes()
	}
	words := strings.TrimSpace(stderr.String())
	var exit *exec.ExitError
	if ctx.Err() == nil && errors.As(err, &exit) {
		switch exit.ExitCode() {
		case childNotDenied:
			return no(v1.ReasonDenialNotSeen, "the canary profile is loaded and an open under it was not denied: "+words)
		case childNotChanged:
			return unknown(v1.ReasonCanaryFailed, "take on the canary profile: "+words)
		}
	}
	return unknown(v1.ReasonCanaryFailed, strings.TrimSuffix(fmt.Sprintf("canary child: %v: %s", err, words), ": "))
}

// runChild opens a file, takes on the profile, and opens the file again.
func runChild(profile string) int {
	// The profile is the thread's, and only the thread itself may change it.
	runtime.LockOSThread()
	const file = "/proc/self/exe"
	if err := tryOpen(file); err != nil {
		fmt.Fprintln(os.Stderr, "control:", err)
		return childNoControl
	}
	if err := changeProfile(profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return childNotChanged
	}
	switch err := tryOpen(file); {
	case errors.Is(err, unix.EACCES):
		return childDenied
	case err == nil:
		fmt.Fprintln(os.Stderr, "it was allowed")
	default:
		fmt.Fprintln(os.Stderr, err)
	}
	return childNotDenied
}

func tryOpen(file string) error {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// changeProfile uses AppArmor's own attribute (5.8 and later), then the one that all LSMs share.
func changeProfile(profile string) error {
	request := []byte("changeprofile " + profile)
	err := control("/proc/thread-self/attr/apparmor/current", request)
	if errors.Is(err, os.ErrNotExist) {
		err = control("/proc/thread-self/attr/current", request)
	}
	return err
}
