// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"os"
	"testing"
)

// TestMain lets the AppArmor canary's child be this test's own executable.
func TestMain(m *testing.M) {
	if code, is := Child(os.Args); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}
