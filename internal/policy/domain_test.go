// SPDX-License-Identifier: Apache-2.0

package policy

import "testing"

func TestNamesAreComparedAsTheDNSDoes(t *testing.T) {
	for written, want := range map[string]string{
		"WWW.Example.com.": "www.example.com",
		"@[`{.AZaz":        "@[`{.azaz",
		// Letters of others are bytes, and so is what is no text at all.
		"É.com":      "É.com",
		"\u212a.com": "\u212a.com",
		"\xff.COM":   "\xff.com",
		"":           "",
	} {
		if got := DomainName(written); got != want {
			t.Errorf("%q is %q, want %q", written, got, want)
		}
	}
}
