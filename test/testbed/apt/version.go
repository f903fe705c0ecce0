// SPDX-License-Identifier: Apache-2.0

package apt

import (
	"cmp"
	"strings"
)

// compareVersions orders names that differ in their version: runs of digits by value, everything else byte by byte, so that
// 6.12.117 comes after 6.12.95.
func compareVersions(x, y string) int {
	for x != "" && y != "" {
		xRun, xRest := cutRun(x)
		yRun, yRest := cutRun(y)
		if order := compareRuns(xRun, yRun); order != 0 {
			return order
		}
		x, y = xRest, yRest
	}
	return cmp.Compare(len(x), len(y))
}

// cutRun splits off the digits, or the other bytes, that text starts with.
func cutRun(text string) (run, rest string) {
	digits := isDigit(text[0])
	end := 1
	for end < len(text) && isDigit(text[end]) == digits {
		end++
	}
	return text[:end], text[end:]
}

func compareRuns(x, y string) int {
	if !isDigit(x[0]) || !isDigit(y[0]) {
		return strings.Compare(x, y)
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
