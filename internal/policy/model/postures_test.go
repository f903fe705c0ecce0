// SPDX-License-Identifier: Apache-2.0

package model

import (
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestAllowLists(t *testing.T) {
	hold(t, map[string]sentence{
		"one Allow rule makes a domain an allow-list":           {[]string{"file Allow path /a"}, "read /b", "Block DefaultPosture"},
		"what it allows is allowed":                             {[]string{"file Allow path /a"}, "read /a", "Allow p 0"},
		"one of any policy":                                     {[]string{"a: file Audit path /a", "b: file Allow path /c"}, "read /b", "Block DefaultPosture"},
		"also one with a source":                                {[]string{"file Allow path /a from /x"}, "read /b by /y", "Block DefaultPosture"},
		"also one with conditions":                              {[]string{"file Allow path /a ownerOnly"}, "read /b", "Block DefaultPosture"},
		"an Audit rule in it audits, whatever the posture":      {[]string{"file Allow path /a", "file Audit path /b"}, "read /b", "Audit p 1"},
		"the other domains are none":                            {[]string{"file Allow path /a"}, "exec /b", "Allow"},
		"without an Allow rule the undecided pass":              {[]string{"file Block path /a", "file Audit path /c"}, "read /b", "Allow"},
		"without rules everything passes":                       {nil, "read /b", "Allow"},
		"processes take the posture of files":                   {[]string{"process Allow path /a"}, "exec /b", "Block DefaultPosture"},
		"a process without a path is in no list":                {[]string{"process Allow tree /"}, "exec object", "Block DefaultPosture"},
		"a file without a path passes even so":                  {[]string{"file Allow path /a"}, "write object", "Allow"},
		"without an allow-list a process without a path passes": {[]string{"process Block tree /"}, "exec /memfd:x object", "Allow"},
		"the network has its own":                               {[]string{"network Allow protocol tcp"}, "connect udp", "Block DefaultPosture"},
		"DNS takes the network's":                               {[]string{"dns Allow name a.com"}, "dns b.com", "Block DefaultPosture"},
		"DNS is no allow-list because the network is":           {[]string{"network Allow protocol tcp"}, "dns b.com", "Allow"},
		"capabilities have their own":                           {[]string{"capabilities Allow capability kill"}, "capable chown", "Block DefaultPosture"},
		"system calls have none":                                {[]string{"syscalls Allow syscalls open"}, "syscall unlink", "Allow"},
	}, posture(policy.PostureBlock))
}

func TestPostures(t *testing.T) {
	list := []string{"file Allow path /a"}
	for p, want := range map[policy.Posture]string{
		policy.PostureBlock: "Block DefaultPosture", policy.PostureAudit: "Audit DefaultPosture", policy.PostureAllow: "Allow DefaultPosture",
		"": "Audit DefaultPosture", "Block": "Audit DefaultPosture",
	} {
		hold(t, map[string]sentence{"posture " + string(p): {list, "read /b", want}}, posture(p))
	}
}

func TestAnAuditedWorkloadIsNotBlocked(t *testing.T) {
	hold(t, map[string]sentence{
		"Block is Audit":                        {[]string{"file Block path /a"}, "read /a", "Audit p 0"},
		"so it is no stronger than Audit":       {[]string{"b: file Block path /a", "a: file Audit path /a"}, "read /a", "Audit a 0"},
		"the posture block is audit":            {[]string{"file Allow path /a"}, "read /b", "Audit DefaultPosture"},
		"what is spared is still":               {[]string{"file Block path /a readOnly"}, "read /a", "Allow p 0"},
		"a path that cannot be told is audited": {[]string{"file Block path /a"}, "read unresolved", "Audit UnresolvedPath"},
		"also in an allow-list":                 {[]string{"file Allow path /a"}, "read unresolved", "Audit UnresolvedPath"},
		"presets audit":                         {[]string{"preset Block preset filelessExec"}, "exec object", "Audit p 0"},
	}, func(w *Workload) {
		posture(policy.PostureBlock)(w)
		for i := range w.Policies {
			w.Policies[i].AuditOnly = true
		}
	})
}

func TestPathsThatTheKernelCannotTell(t *testing.T) {
	hold(t, map[string]sentence{
		"an allow-list gives them its posture":    {[]string{"file Allow path /a"}, "read unresolved", "Block UnresolvedPath"},
		"whatever else it has":                    {[]string{"file Allow path /a", "file Audit path /b"}, "read unresolved", "Block UnresolvedPath"},
		"a domain that blocks anything blocks":    {[]string{"file Block path /a from /x", "file Audit path /b"}, "read unresolved", "Block UnresolvedPath"},
		"one that audits anything audits":         {[]string{"process Audit path /a"}, "exec unresolved", "Audit UnresolvedPath"},
		"another domain's rules do not matter":    {[]string{"process Block path /a"}, "read unresolved", "Allow"},
		"both paths of a rename":                  {[]string{"file Block path /a"}, "rename unresolved", "Block UnresolvedPath"},
		"sockets have no path to be told":         {[]string{"network Block protocol udp"}, "connect tcp unresolved", "Allow"},
		"conditions do not help: it is not known": {[]string{"file Block path /a readOnly"}, "read unresolved", "Block UnresolvedPath"},
	}, posture(policy.PostureBlock))
}

func TestPathsThatTheKernelCannotTellWhereThePostureAllows(t *testing.T) {
	hold(t, map[string]sentence{
		"what might be blocked is": {[]string{"file Allow path /a", "file Block path /b"}, "read unresolved", "Block UnresolvedPath"},
		"what cannot be passes":    {[]string{"file Allow path /a"}, "read unresolved", "Allow"},
	}, posture(policy.PostureAllow))
}

func TestPathsThatTheKernelCannotTellWhereThePostureAudits(t *testing.T) {
	hold(t, map[string]sentence{
		"what might be blocked is":          {[]string{"file Allow path /a", "file Block path /b"}, "read unresolved", "Block UnresolvedPath"},
		"whoever it is blocked for":         {[]string{"process Allow tree /", "process Block path /b from /x"}, "exec unresolved by /y", "Block UnresolvedPath"},
		"what might be audited is audited":  {[]string{"file Allow path /a", "file Audit path /b"}, "read unresolved", "Audit UnresolvedPath"},
		"what no rule stops is audited too": {[]string{"file Allow path /a"}, "read unresolved", "Audit UnresolvedPath"},
	}, posture(policy.PostureAudit))
}
