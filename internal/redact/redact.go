// SPDX-License-Identifier: Apache-2.0

// Package redact takes out of texts and objects what looks like a secret, so that they can be shown to others.
package redact

import (
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// Removed stands where a secret was.
const Removed = "<removed>"

// names of things that hold secrets.
const names = `token|secret|passw(?:or)?d|passwd|pwd|credential|api[-_]?key|access[-_]?key|private[-_]?key`

// Redactor counts what it takes out. It may be used by many at once.
type Redactor struct {
	removed   atomic.Int64
	name      *regexp.Regexp
	random    *regexp.Regexp
	assigned  *regexp.Regexp
	following *regexp.Regexp
	texts     []*regexp.Regexp
}

// New makes a Redactor.
func New() *Redactor {
	return &Redactor{
		name:   regexp.MustCompile(`(?i)` + names + `|auth|bearer|cookie|session|(^|[-_])key$`),
		random: regexp.MustCompile(`^[A-Za-z0-9+/_=-]{24,}$`),
		// What is named as a secret, and its value: password=…, "token": "…", --api-key=….
		assigned:  regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:` + names + `)[a-z0-9_.-]*\\?["']?\s*[=:]\s*\\?["']?)([^\s"'\\,;&<]+)`),
		following: regexp.MustCompile(`(?i)(--?[a-z0-9_.-]*(?:` + names + `)\s+)([^\s"'\\,;&<-][^\s"'\\,;&]*)`),
		texts: []*regexp.Regexp{
			regexp.MustCompile(`(?s)()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`),
			regexp.MustCompile(`()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), // JSON web token
			regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{8,}`),
			regexp.MustCompile(`()\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`),
			regexp.MustCompile(`()\bgh[pousr]_[A-Za-z0-9]{20,}`),
			regexp.MustCompile(`(://)[^/\s:@"']*:[^/\s@"']+@`), // URL with a password
		},
	}
}

// Count of what was taken out so far.
func (r *Redactor) Count() int64 { return r.removed.Load() }

// Text takes secrets out of a text.
func (r *Redactor) Text(text string) string {
	for _, p := range append(slices.Clone(r.texts), r.assigned, r.following) {
		text = p.ReplaceAllStringFunc(text, func(found string) string {
			r.removed.Add(1)
			return p.FindStringSubmatch(found)[1] + Removed
		})
	}
	return text
}

// Object takes secrets out of a Kubernetes object, in place, and with them what is written by machines for machines: the
// managed fields, and the copy of the whole object that kubectl keeps as an annotation.
func (r *Redactor) Object(o map[string]any) {
	if meta, is := o["metadata"].(map[string]any); is {
		delete(meta, "managedFields")
		if annotations, is := meta["annotations"].(map[string]any); is {
			delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		}
	}
	r.walk(o)
}

// walk looks at every string.
func (r *Redactor) walk(v any) any {
	switch v := v.(type) {
	case map[string]any:
		r.variable(v)
		for key, inner := range v {
			v[key] = r.walk(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = r.walk(inner)
		}
		r.arguments(v)
	case string:
		return r.Text(v)
	}
	return v
}

// arguments of a command line: the value may be the next one.
func (r *Redactor) arguments(list []any) {
	for i := 1; i < len(list); i++ {
		flag, is := list[i-1].(string)
		value, follows := list[i].(string)
		if is && follows && strings.HasPrefix(flag, "-") && !strings.Contains(flag, "=") && r.name.MatchString(flag) && !strings.HasPrefix(value, "-") {
			list[i] = Removed
			r.removed.Add(1)
		}
	}
}

// variable is an environment variable, {name, value}: what is named as a secret goes, and what looks like a token.
func (r *Redactor) variable(v map[string]any) {
	name, named := v["name"].(string)
	value, valued := v["value"].(string)
	if !named || !valued || value == "" {
		return
	}
	if r.name.MatchString(name) || r.random.MatchString(value) && mixed(value) {
		v["value"] = Removed
		r.removed.Add(1)
	}
}

// mixed says whether a long word is of digits and letters, as random ones are.
func mixed(s string) bool {
	return strings.ContainsAny(s, "0123456789") && strings.ContainsAny(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz")
}
