// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"strconv"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

func newRule(domain Domain, at string, cascade ...securityv1.Report) parsed {
	r := parsed{at: at, domain: domain}
	r.action, r.severity, r.tags, r.message = nearest(cascade...)
	return r
}

func (p *parsed) path(path string) {
	clean, why := cleanPath(path)
	if why == "" && (clean == "" || clean[len(clean)-1] == '/') {
		why = `ends in "/"; use matchDirectories for a directory`
	}
	p.place(scope{rank: rankPath, path: clean}, path, why)
}

func (p *parsed) directory(dir string, recursive bool) {
	clean, why := cleanPath(dir)
	if why == "" && clean[len(clean)-1] != '/' {
		why = `does not end in "/"; use matchPaths for a file`
	}
	p.place(scope{rank: rankDirectory, path: clean, recursive: recursive}, dir, why)
}

// place leaves the scope of an impossible path empty: it matches nothing, so it excepts from nothing either.
func (p *parsed) place(s scope, path, why string) {
	if why != "" {
		p.refuse(ReasonPathInvalid, "path "+quote(path)+" "+why)
		return
	}
	p.scope = s
}

func (p *parsed) pattern(glob string) {
	p.scope = scope{rank: rankPattern, path: literal(glob), prefix: true}
	p.refuse(ReasonPattern, "patterns are not enforced yet; name paths or directories")
}

func (p *parsed) execName(name string) {
	p.scope = scope{rank: rankExecName, base: name}
	p.refuse(ReasonExecName, "execname is not enforced yet; name the executable by its whole path")
}

func (p *parsed) arguments(allowed []string) {
	if len(allowed) > 0 {
		p.sparing = true
		p.refuse(ReasonArguments, "allowedArgs is not enforced yet; without it the rule would hold for every argument")
	}
}

func (p *parsed) terminal(pts *bool) {
	if pts != nil {
		p.sparing = true
		p.refuse(ReasonTerminal, "pts is not enforced yet; without it the rule would hold with and without a terminal")
	}
}

// quote bounds what a message repeats of a policy.
func quote(path string) string {
	const most = 80
	if len(path) > most {
		return strconv.Quote(path[:most]) + "…"
	}
	return strconv.Quote(path)
}
