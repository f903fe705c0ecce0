// SPDX-License-Identifier: Apache-2.0

// Package host runs the tools of the machine that the testbed is on, and says what to install when one is missing.
package host

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// packageOf names the Debian package that brings a tool.
func packageOf(tool string) string {
	switch tool {
	case "qemu-system-x86_64":
		return "qemu-system-x86 ipxe-qemu"
	case "qemu-system-aarch64":
		return "qemu-system-arm ipxe-qemu"
	case "depmod":
		return "kmod"
	case "mke2fs":
		return "e2fsprogs"
	case "xz":
		return "xz-utils"
	case "apt-get", "apt-cache":
		return "apt"
	case "nsenter":
		return "util-linux"
	case "ip":
		return "iproute2"
	default:
		return tool
	}
}

// MissingError names tools that are not on this machine.
type MissingError struct{ Tools []string }

func (e *MissingError) Error() string {
	packages := make([]string, 0, len(e.Tools))
	for _, tool := range e.Tools {
		packages = append(packages, packageOf(tool))
	}
	slices.Sort(packages)
	return fmt.Sprintf("not found on this machine: %s; install with: apt-get install --no-install-recommends %s",
		strings.Join(e.Tools, ", "), strings.Join(slices.Compact(packages), " "))
}

// Require fails with a MissingError that names every tool that is absent.
func Require(tools ...string) error {
	var missing []string
	for _, tool := range tools {
		if _, err := Find(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return &MissingError{Tools: missing}
	}
	return nil
}

// Find a tool on the PATH or where Debian keeps the administrator's tools, which is not on every user's PATH.
func Find(tool string) (string, error) {
	if path, err := exec.LookPath(tool); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + tool)
}

// Run a tool and return its standard output. An error holds the end of what the tool wrote to its standard error.
func Run(ctx context.Context, tool string, args ...string) ([]byte, error) {
	path, err := Find(tool)
	if err != nil {
		return nil, &MissingError{Tools: []string{tool}}
	}
	command := exec.CommandContext(ctx, path, args...)
	command.Env = append(command.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s: %w: %s", tool, err, tail(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// tail keeps an error readable when a tool wrote pages.
func tail(text string) string {
	const limit = 2000
	text = strings.TrimSpace(text)
	if len(text) > limit {
		return "…" + text[len(text)-limit:]
	}
	return text
}
