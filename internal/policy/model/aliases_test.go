// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"testing"
)

// links is a root with symlinks: a directory or file, and what it points to.
type links map[string]string

func (l links) Resolve(path string) string {
	for range 10 {
		for from, to := range l {
			if rest, found := strings.CutPrefix(path, from); found && (rest == "" || rest[0] == '/') {
				path = to + rest
			}
		}
	}
	return path
}

func TestSymlinksOfTheRoot(t *testing.T) {
	root := links{
		"/bin": "/usr/bin", "/usr/bin/sh": "/usr/bin/dash", "/usr/bin/wget": "/usr/bin/busybox",
		"/usr/bin/pager": "/etc/alternatives/pager", "/etc/alternatives/pager": "/usr/bin/less", "/odd": "/[a]",
	}
	hold(t, map[string]sentence{
		"a rule means the object behind its path":         {[]string{"process Block path /bin/sleep"}, "exec /usr/bin/sleep", "Block p 0"},
		"and an operation is on the object":               {[]string{"process Block path /usr/bin/sleep"}, "exec /bin/sleep", "Block p 0"},
		"also where the last component is a link":         {[]string{"process Block path /bin/sh"}, "exec /usr/bin/dash", "Block p 0"},
		"over more than one link":                         {[]string{"process Block path /bin/pager"}, "exec /usr/bin/less", "Block p 0"},
		"deleting a link is on the link":                  {[]string{"file Block path /usr/bin/dash"}, "delete /bin/sh", "Allow"},
		"and a rule on the link has it":                   {[]string{"file Block path /usr/bin/sh"}, "delete /bin/sh", "Block p 0"},
		"a directory behind a link":                       {[]string{"process Block dir /bin/"}, "exec /usr/bin/less", "Block p 0"},
		"a glob below a link":                             {[]string{"process Block pattern /bin/l*"}, "exec /usr/bin/less", "Block p 0"},
		"a directory behind a link is no glob":            {[]string{"process Block pattern /odd/*"}, "exec /a/x", "Allow"},
		"but just what it is called":                      {[]string{"process Block pattern /odd/*"}, "exec /[a]/x", "Block p 0"},
		"a source behind a link":                          {[]string{"file Block path /a from /bin/sh"}, "read /a by /usr/bin/dash", "Block p 0"},
		"a program of many names is not hit by one":       {[]string{"process Block path /bin/wget"}, "exec /usr/bin/busybox", "Allow"},
		"it is by its own":                                {[]string{"process Block path /bin/busybox"}, "exec /bin/wget", "Block p 0"},
		"nor is it the source that one name of it is":     {[]string{"file Block path /a from /bin/wget"}, "read /a by /usr/bin/busybox", "Allow"},
		"execname is the object's name":                   {[]string{"process Block execname sh"}, "exec /bin/sh", "Allow"},
		"the deeper of the directories behind is counted": {[]string{"process Block dir /bin/", "process Audit tree /usr/"}, "exec /bin/less", "Block p 0"},
	}, func(w *Workload) { w.Root = root })
}
