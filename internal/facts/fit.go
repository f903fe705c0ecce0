// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Bounds of api/operator/v1, in characters.
const (
	maxBootID  = 64
	maxKernel  = 128
	maxName    = 128
	maxWord    = 64
	maxCause   = 512
	maxLSMs    = 32
	maxLSMName = 32
)

// WriteTermination writes the facts where the kubelet takes a container's termination message from.
func WriteTermination(path string, f v1.NodeFacts) error {
	b, err := Encode(f)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("write facts: %w", err)
	}
	_, err = file.Write(b)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write facts: %w", err)
	}
	return nil
}

// Encode gives the facts as compact JSON. Facts of Probe always fit v1.MaxFactsBytes; anything else that does not is
// an error, never cut JSON.
func Encode(f v1.NodeFacts) ([]byte, error) {
	b, err := encode(f)
	if err != nil {
		return nil, fmt.Errorf("encode facts: %w", err)
	}
	if len(b) > v1.MaxFactsBytes {
		return nil, fmt.Errorf("encode facts: %d bytes, at most %d are allowed", len(b), v1.MaxFactsBytes)
	}
	return b, nil
}

// encode leaves <, > and & alone: escaped they take six bytes each.
func encode(f v1.NodeFacts) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// fit shortens causes until the JSON fits. What a person needs least goes first, and every cause is shortened to a
// length before any is shortened further. With all causes gone the rest fits by its bounds.
func fit(f v1.NodeFacts) v1.NodeFacts {
	order := []*v1.Fact{
		&f.AppArmorFS, &f.SecurityFS, &f.Seccomp, &f.BPFFS, &f.BTF,
		&f.SELinux.Fact, &f.Runtime.Fact, &f.AppArmor, &f.Observe, &f.BPFLSM,
	}
	for _, limit := range []int{maxCause, 256, 128, 64, 32, 0} {
		for _, fact := range order {
			fact.Cause = clip(fact.Cause, limit)
			if b, err := encode(f); err == nil && len(b) <= v1.MaxFactsBytes {
				return f
			}
		}
	}
	return f
}

// sanitize makes every string what the operator accepts: what a file or a runtime said may be anything.
func sanitize(f v1.NodeFacts) v1.NodeFacts {
	f.BootID = only(f.BootID, lower, maxBootID)
	f.Kernel = only(f.Kernel, token, maxKernel)
	f.Distribution.ID = only(strings.ToLower(f.Distribution.ID), lower, maxWord)
	f.Distribution.VersionID = only(strings.ToLower(f.Distribution.VersionID), lower, maxWord)
	f.Distribution.Name = clip(printable(f.Distribution.Name), maxName)
	f.Runtime.Name = only(f.Runtime.Name, token, maxWord)
	f.Runtime.Version = only(f.Runtime.Version, token, maxWord)
	f.LSMs = sanitizeLSMs(f.LSMs)
	for _, fact := range []*v1.Fact{
		&f.BTF, &f.BPFLSM, &f.Observe, &f.AppArmor, &f.SELinux.Fact, &f.Seccomp,
		&f.BPFFS, &f.SecurityFS, &f.AppArmorFS, &f.Runtime.Fact,
	} {
		fact.Reason = only(fact.Reason, letter, maxWord)
		fact.Cause = clip(printable(fact.Cause), maxCause)
	}
	return f
}

func sanitizeLSMs(lsms []string) []string {
	var out []string
	for _, l := range lsms {
		if l = only(l, lower, maxLSMName); l != "" && len(out) < maxLSMs {
			out = append(out, l)
		}
	}
	return out
}

// printable makes a line of what may be several, and drops what a terminal would obey.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// clip keeps at most n characters and shows that it cut.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n == 0 {
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}

// only keeps the allowed characters, at most n of them. A mark for what was cut would not be allowed itself.
func only(s string, allowed func(rune) bool, n int) string {
	s = strings.Map(func(r rune) rune {
		if allowed(r) {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), n)]
}

func letter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func lower(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
}

func token(r rune) bool { return letter(r) || strings.ContainsRune("._:+~-", r) }
