// SPDX-License-Identifier: Apache-2.0

package support

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Bounds of api/operator/v1, in characters.
const (
	maxBootID  = 64
	maxKernel  = 128
	maxArch    = 16
	maxName    = 128
	maxWord    = 64
	maxFact    = 512
	maxLSMs    = 32
	maxLSMName = 32
	maxSocket  = 256
)

// text is one string of the facts, what it may be made of, and how long it may be.
type text struct {
	field string
	value string
	max   int
	form  *regexp.Regexp
}

// forms are the alphabets of the facts. What ends in a label, a hash or a mount is narrow; prose is any printable text.
type forms struct{ token, lower, reason, release *regexp.Regexp }

func newForms() forms {
	return forms{
		token:   regexp.MustCompile(`^[A-Za-z0-9._:/@+~-]*$`),
		lower:   regexp.MustCompile(`^[a-z0-9._-]*$`),
		reason:  regexp.MustCompile(`^([A-Z][A-Za-z0-9]*)?$`),
		release: regexp.MustCompile(`^[A-Za-z0-9._:+~-]+$`),
	}
}

// validate names the first field that is not as api/operator/v1 promises.
func validate(f *v1.NodeFacts) error {
	allowed := newForms()
	if err := validateTexts(f, allowed); err != nil {
		return err
	}
	if err := validateFacts(f, allowed); err != nil {
		return err
	}
	if f.CgroupVersion < 0 || f.CgroupVersion > 2 {
		return fmt.Errorf("cgroupVersion %d is not 0, 1 or 2", f.CgroupVersion)
	}
	if !slices.Contains([]string{"", "enforcing", "permissive", "disabled"}, f.SELinux.Mode) {
		return fmt.Errorf("seLinux.mode %q is not enforcing, permissive or disabled", f.SELinux.Mode)
	}
	if err := validateSocket("runtime.socket", f.Runtime.Socket); err != nil {
		return err
	}
	return validateSocket("runtime.nriSocket", f.Runtime.NRISocket)
}

func validateTexts(f *v1.NodeFacts, allowed forms) error {
	texts := []text{
		{"bootID", f.BootID, maxBootID, allowed.lower},
		{"kernel", f.Kernel, maxKernel, allowed.release},
		{"arch", f.Arch, maxArch, allowed.lower},
		{"distribution.id", f.Distribution.ID, maxWord, allowed.lower},
		{"distribution.versionID", f.Distribution.VersionID, maxWord, allowed.lower},
		{"distribution.name", f.Distribution.Name, maxName, nil},
		{"runtime.name", f.Runtime.Name, maxWord, allowed.token},
		{"runtime.version", f.Runtime.Version, maxWord, allowed.token},
	}
	if len(f.LSMs) > maxLSMs {
		return fmt.Errorf("lsms has %d entries, at most %d are allowed", len(f.LSMs), maxLSMs)
	}
	for i, l := range f.LSMs {
		if l == "" {
			return fmt.Errorf("lsms[%d] is empty", i)
		}
		texts = append(texts, text{fmt.Sprintf("lsms[%d]", i), l, maxLSMName, allowed.lower})
	}
	return checkTexts(texts)
}

func validateFacts(f *v1.NodeFacts, allowed forms) error {
	facts := []struct {
		field string
		fact  v1.Fact
	}{
		{"btf", f.BTF},
		{"bpfLSM", f.BPFLSM},
		{"observe", f.Observe},
		{"appArmor", f.AppArmor},
		{"seLinux", f.SELinux.Fact},
		{"seccomp", f.Seccomp},
		{"bpfFS", f.BPFFS},
		{"securityFS", f.SecurityFS},
		{"appArmorFS", f.AppArmorFS},
		{"runtime", f.Runtime.Fact},
	}
	for _, x := range facts {
		if !slices.Contains([]v1.FactState{v1.FactYes, v1.FactNo, v1.FactUnknown}, x.fact.State) {
			return fmt.Errorf("%s.state %q is not Yes, No or Unknown", x.field, x.fact.State)
		}
		err := checkTexts([]text{
			{x.field + ".reason", x.fact.Reason, maxWord, allowed.reason},
			{x.field + ".cause", x.fact.Cause, maxFact, nil},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTexts(texts []text) error {
	for _, t := range texts {
		if n := utf8.RuneCountInString(t.value); n > t.max {
			return fmt.Errorf("%s has %d characters, at most %d are allowed", t.field, n, t.max)
		}
		if t.form != nil && !t.form.MatchString(t.value) {
			return fmt.Errorf("%s %q does not match %s", t.field, t.value, t.form)
		}
		if i := strings.IndexFunc(t.value, unprintable); i >= 0 {
			return fmt.Errorf("%s %q has an unprintable character at byte %d", t.field, t.value, i)
		}
	}
	return nil
}

// validateSocket accepts only what the operator may mount: a clean path of a socket below /run.
func validateSocket(field, p string) error {
	if p == "" {
		return nil
	}
	plain := regexp.MustCompile(`^/run/[A-Za-z0-9._/-]+\.sock$`)
	if utf8.RuneCountInString(p) > maxSocket || !plain.MatchString(p) || path.Clean(p) != p {
		return fmt.Errorf("%s %q is not a clean path of at most %d characters below /run that ends in .sock", field, p, maxSocket)
	}
	return nil
}

func unprintable(r rune) bool {
	return r == utf8.RuneError || !unicode.IsPrint(r)
}
