// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

// draft is a rule in the making. With any problem it is none: without the part that cannot be understood, it would mean
// something else.
type draft struct {
	rule     policy.Rule
	problems []string
}

// refuse notes what is wrong with the value of a field.
func (d *draft) refuse(field, value string, err error) {
	if err != nil {
		d.problems = append(d.problems, fmt.Sprintf("%s %s %s", field, quote(value), err))
	}
}

// cascade takes every property from the first of reports, from the rule outwards, that sets it.
func (d *draft) cascade(reports ...securityv1.Report) {
	for _, report := range reports {
		if d.rule.Action == policy.ActionNone && report.Action != "" {
			d.action(report.Action)
		}
		if d.rule.Severity == 0 {
			d.rule.Severity = int(report.Severity)
		}
		if d.rule.Tags == nil && len(report.Tags) > 0 {
			d.rule.Tags = report.Tags
		}
		if d.rule.Message == "" {
			d.rule.Message = report.Message
		}
	}
	if d.rule.Action == policy.ActionNone {
		d.rule.Action = policy.ActionBlock
	}
}

func (d *draft) action(word securityv1.Action) {
	switch word {
	case securityv1.ActionAllow:
		d.rule.Action = policy.ActionAllow
	case securityv1.ActionAudit:
		d.rule.Action = policy.ActionAudit
	case securityv1.ActionBlock:
		d.rule.Action = policy.ActionBlock
	default:
		d.rule.Action = policy.ActionBlock
		d.refuse("action", string(word), errors.New("is unknown; use Allow, Audit or Block"))
	}
}

func (d *draft) path(path string) {
	clean, err := Path(path)
	d.refuse("path", path, err)
	d.rule.Path = clean
}

func (d *draft) directory(dir string, recursive bool) {
	clean, err := Directory(dir)
	d.refuse("dir", dir, err)
	d.rule.Directory, d.rule.Recursive = clean, recursive
}

func (d *draft) execName(name string) {
	d.refuse("execname", name, checkName(name))
	d.rule.ExecName = name
}

func (d *draft) pattern(pattern string) {
	var wrong *glob.Error
	if _, err := glob.Parse(pattern); errors.As(err, &wrong) {
		d.refuse("pattern", pattern, fmt.Errorf("is no glob: at byte %d, %s", wrong.Position, wrong.Reason))
	}
	d.rule.Pattern = pattern
}

// sources are sorted, and each is there once: neither says anything.
func (d *draft) sources(sources []securityv1.MatchSource) {
	for i := range sources {
		clean, err := Path(string(sources[i].Path))
		d.refuse(fmt.Sprintf("fromSource[%d].path", i), string(sources[i].Path), err)
		d.rule.Sources = append(d.rule.Sources, policy.Source{Path: clean})
	}
	d.rule.Sources = unique(d.rule.Sources)
}

func (d *draft) syscallSources(sources []securityv1.SyscallSource) {
	for i := range sources {
		s, at := &sources[i], fmt.Sprintf("fromSource[%d]", i)
		var source policy.Source
		var err error
		switch {
		case (s.Path == "") == (s.Directory == ""):
			d.problems = append(d.problems, at+" sets not exactly one of path (an executable) and dir (a directory of executables)")
			continue
		case s.Path != "":
			source.Path, err = Path(string(s.Path))
			d.refuse(at+".path", string(s.Path), err)
		default:
			source.Recursive = s.Recursive
			source.Directory, err = Directory(string(s.Directory))
			d.refuse(at+".dir", string(s.Directory), err)
		}
		d.rule.Sources = append(d.rule.Sources, source)
	}
	d.rule.Sources = unique(d.rule.Sources)
}

func unique(sources []policy.Source) []policy.Source {
	slices.SortFunc(sources, func(a, b policy.Source) int {
		if c := strings.Compare(a.Path+a.Directory, b.Path+b.Directory); c != 0 {
			return c
		}
		return strings.Compare(strconv.FormatBool(a.Recursive), strconv.FormatBool(b.Recursive))
	})
	return slices.Compact(sources)
}

// terminal: pts false is a condition, true and unset are none.
func (d *draft) terminal(pts *bool) { d.rule.NoTerminal = pts != nil && !*pts }

// arguments are sorted, and each is there once: neither says anything.
func (d *draft) arguments(allowed []string) {
	for i, argument := range allowed {
		if strings.IndexByte(argument, 0) >= 0 {
			d.refuse(fmt.Sprintf("allowedArgs[%d]", i), argument, errors.New("contains a zero byte, which no argument does"))
		}
	}
	d.rule.AllowedArgs = slices.Compact(slices.Sorted(slices.Values(allowed)))
}

// quote bounds what a message repeats of a policy.
func quote(value string) string {
	const most = 80
	if len(value) > most {
		return strconv.Quote(value[:most]) + "…"
	}
	return strconv.Quote(value)
}
