// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"strings"
	"testing"
)

func TestAMissingToolNamesItsPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Require("qemu-system-aarch64", "no-such-tool")
	want := "not found on this machine: qemu-system-aarch64, no-such-tool; " +
		"install with: apt-get install --no-install-recommends no-such-tool qemu-system-arm ipxe-qemu"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAFailedToolTellsWhatItWrote(t *testing.T) {
	_, err := Run(context.Background(), "sh", "-c", "echo the reason >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "exit status 3: the reason") {
		t.Errorf("got %v", err)
	}
}
