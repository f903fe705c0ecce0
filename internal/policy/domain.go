// SPDX-License-Identifier: Apache-2.0

package policy

import "strings"

// DomainName is a domain name as names are compared: without its closing dot, and with the letters of ASCII in lower case.
// All other bytes are what they are, as in the DNS (RFC 4343), and as in the core.
func DomainName(name string) string {
	plain := []byte(strings.TrimSuffix(name, "."))
	for i, b := range plain {
		if b >= 'A' && b <= 'Z' {
			plain[i] = b - 'A' + 'a'
		}
	}
	return string(plain)
}
