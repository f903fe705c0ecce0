// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"testing"
)

func TestTheMostSpecificRuleDecides(t *testing.T) {
	// Every rule matches; they are listed from the most to the least specific, and each is of another policy.
	ladder := []string{
		"a: process Block path /usr/bin/curl from /bin/sh",
		"b: process Audit execname curl from /bin/sh",
		"c: process Block dir /usr/bin/ from /bin/sh",
		"d: process Audit tree /usr/ from /bin/sh",
		"e: process Block path /usr/bin/curl",
		"f: process Audit execname curl",
		"g: process Block pattern /usr/*/curl",
		"h: process Audit tree /usr/bin/",
		"i: process Block tree /usr/",
		"j: process Audit tree /",
	}
	for i := range ladder {
		w := workload(t, ladder[i:]...)
		first := w.Policies[0].Policy
		want := first.Rules[0].Action.String() + " " + first.Ref.Name + " 0"
		if got := brief(w.Judge(operation(t, "exec /usr/bin/curl by /bin/sh"))); got != want {
			t.Errorf("from %q on: got %q, want %q", ladder[i], got, want)
		}
	}
}

func TestRulesOfOneRank(t *testing.T) {
	hold(t, map[string]sentence{
		"Block wins over Allow, whichever policy it comes from": {
			[]string{"a: file Allow path /a", "b: file Block path /a"}, "read /a", "Block b 0",
		},
		"Block wins over Audit": {[]string{"a: file Audit path /a", "b: file Block path /a"}, "read /a", "Block b 0"},
		"Audit wins over Allow": {[]string{"a: file Allow path /a", "b: file Audit path /a"}, "read /a", "Audit b 0"},
		"an allowed exception from a blocked directory": {
			[]string{"file Block tree /etc/", "file Allow path /etc/hosts"}, "read /etc/hosts", "Allow p 1",
		},
		"a deeper directory is an exception from its parents": {
			[]string{"file Block tree /a/", "file Audit tree /a/b/"}, "read /a/b/c", "Audit p 1",
		},
		"a deeper plain directory says nothing about what is below its entries": {
			[]string{"file Block tree /a/", "file Audit dir /a/b/"}, "read /a/b/c/d", "Block p 0",
		},
		"a recursive and a plain rule of one directory are equally specific": {
			[]string{"file Block tree /a/", "file Audit dir /a/"}, "read /a/b", "Block p 0",
		},
		"whichever of them is the stronger": {
			[]string{"file Audit tree /a/", "file Block dir /a/"}, "read /a/b", "Block p 1",
		},
		"patterns are all equally specific, the longest too": {
			[]string{"file Allow pattern /etc/host?", "file Block pattern /**"}, "read /etc/hosts", "Block p 1",
		},
		"a pattern wins over every directory": {
			[]string{"file Block tree /a/b/c/", "file Audit pattern /a/**"}, "read /a/b/c/d", "Audit p 1",
		},
		"execname wins over a pattern": {
			[]string{"process Block pattern /**", "process Audit execname sh"}, "exec /bin/sh", "Audit p 1",
		},
		"an exact path wins over execname": {
			[]string{"process Audit path /bin/sh", "process Block execname sh"}, "exec /bin/sh", "Audit p 0",
		},
		"a directory with a source wins over an exact path": {
			[]string{"file Audit tree /a/ from /x", "file Block path /a/b"}, "read /a/b by /x", "Audit p 0",
		},
		"execname with a source wins over a directory with a source": {
			[]string{"process Audit execname b from /x", "process Block tree /a/ from /x"}, "exec /a/b by /x", "Audit p 0",
		},
		"the deepest directory with a source wins": {
			[]string{"file Audit tree /a/b/ from /x", "file Block tree /a/ from /x"}, "read /a/b/c by /x", "Audit p 0",
		},
		"of equal outcomes the higher severity is named": {
			[]string{"a: file Block path /a severity 2", "b: file Block path /a severity 7"}, "read /a", "Block b 0",
		},
		"then the first name":                     {[]string{"b: file Block path /a", "a: file Block path /a"}, "read /a", "Block a 0"},
		"then the first place":                    {[]string{"file Block path /a", "file Block path /a"}, "read /a", "Block p 0"},
		"the domains do not mix":                  {[]string{"process Block path /a", "file Audit path /a"}, "read /a", "Audit p 1"},
		"a rule that does not match is not asked": {[]string{"file Block path /a"}, "read /ab", "Allow"},
	}, nil)
}

func TestSources(t *testing.T) {
	rules := []string{"file Block path /a from /bin/cat from /bin/sed", "file Audit path /a"}
	hold(t, map[string]sentence{
		"a rule is for its sources":                      {rules, "read /a by /bin/cat", "Block p 0"},
		"for each of them":                               {rules, "read /a by /bin/sed", "Block p 0"},
		"and for no other executable":                    {rules, "read /a by /bin/ca", "Audit p 1"},
		"nor for one that the kernel cannot tell":        {rules, "read /a", "Audit p 1"},
		"a source is a whole path":                       {rules, "read /a by /usr/bin/cat", "Audit p 1"},
		"capabilities have sources":                      {[]string{"capabilities Block capability net_raw from /x"}, "capable net_raw by /x", "Block p 0"},
		"of others it is not asked":                      {[]string{"capabilities Block capability net_raw from /x"}, "capable net_raw by /y", "Allow"},
		"a source that is missing still leaves the list": {[]string{"file Allow path /a from /x"}, "read /a by /y", "Audit DefaultPosture"},
	}, nil)
}

func TestConditions(t *testing.T) {
	owner := []string{"file Block path /a ownerOnly"}
	read := []string{"file Block path /a readOnly"}
	args := []string{"process Block path /a args -v,-h"}
	both := []string{"file Block path /a readOnly ownerOnly"}
	list := []string{"file Allow path /a readOnly"}
	hold(t, map[string]sentence{
		"ownerOnly: the owner may":                    {owner, "write /a uid 5 owner 5", "Allow p 0"},
		"ownerOnly: others may not, root neither":     {owner, "write /a uid 0 owner 5", "Block p 0"},
		"ownerOnly: nobody owns what is not yet":      {owner, "create /a uid 5 owner 0 new", "Allow p 0"},
		"readOnly with Block: reads pass":             {read, "read /a", "Allow p 0"},
		"readOnly with Block: writes are denied":      {read, "write /a", "Block p 0"},
		"a delete is a write":                         {read, "delete /a", "Block p 0"},
		"a change of mode is a write":                 {read, "chmod /a", "Block p 0"},
		"a rename is a write":                         {read, "rename /a to /b", "Block p 0"},
		"readOnly with Allow: reads are allowed":      {list, "read /a", "Allow p 0"},
		"readOnly with Allow: writes get the posture": {list, "write /a", "Audit DefaultPosture"},
		"readOnly with Audit: reads are spared":       {[]string{"file Audit path /a readOnly"}, "read /a", "Allow p 0"},
		"a terminal is denied where pts is false":     {[]string{"process Block path /a noTerminal"}, "exec /a terminal", "Block p 0"},
		"without one the rule spares":                 {[]string{"process Block path /a noTerminal"}, "exec /a", "Allow p 0"},
		"all arguments are allowed ones":              {args, "exec /a args -h,-v,-h", "Allow p 0"},
		"no argument is no forbidden one":             {args, "exec /a", "Allow p 0"},
		"one argument is not":                         {args, "exec /a args -v,-x", "Block p 0"},
		"all conditions met":                          {both, "read /a uid 1 owner 1", "Allow p 0"},
		"one of two conditions failed":                {both, "read /a uid 1 owner 2", "Block p 0"},
		"a spared operation is not looked for below": {
			[]string{"file Block path /a/b readOnly", "file Block tree /a/"}, "read /a/b", "Allow p 0",
		},
		"a non-owner is allowed by the plain rule of the same path": {
			[]string{"a: file Allow path /a ownerOnly", "b: file Allow path /a"}, "read /a uid 1 owner 2", "Allow b 0",
		},
		"a non-owner gets the posture although the directory is allowed": {
			[]string{"file Allow path /a/b ownerOnly", "file Allow tree /a/"}, "read /a/b uid 1 owner 2", "Audit DefaultPosture",
		},
		"a plain Block of the same path blocks reads too": {
			[]string{"a: file Block path /a readOnly", "b: file Block path /a"}, "read /a", "Block b 0",
		},
		"what one rule spares, another of the same path may audit": {
			[]string{"a: file Block path /a readOnly", "b: file Audit path /a"}, "read /a", "Audit b 0",
		},
	}, nil)
}

func TestPathsOfRules(t *testing.T) {
	long := "/" + strings.Repeat("n", 255)
	deep := strings.Repeat("/d", 2040)
	hold(t, map[string]sentence{
		"a path is compared whole":                         {[]string{"file Block path /etc/shadow"}, "read /etc/shadow-", "Allow"},
		"and not with its end":                             {[]string{"file Block path /etc/shadow"}, "read /x/etc/shadow", "Allow"},
		"repeated slashes are one":                         {[]string{"file Block path /etc/shadow"}, "read //etc///shadow", "Block p 0"},
		"upper case is another name":                       {[]string{"file Block path /etc/shadow"}, "read /etc/Shadow", "Allow"},
		"bytes that are no text":                           {[]string{"file Block path /\xff\x01"}, "read /\xff\x01", "Block p 0"},
		"a name of 255 bytes":                              {[]string{"file Block path " + long}, "read " + long, "Block p 0"},
		"4,080 bytes and 2,040 components":                 {[]string{"file Block path " + deep}, "read " + deep, "Block p 0"},
		"one component less":                               {[]string{"file Block path " + deep}, "read " + deep[2:], "Allow"},
		"a directory has its entries":                      {[]string{"file Block dir /a/"}, "read /a/b", "Block p 0"},
		"a plain one nothing below them":                   {[]string{"file Block dir /a/"}, "read /a/b/c", "Allow"},
		"a recursive one all below it":                     {[]string{"file Block tree /a/"}, "read /a/b/c/d", "Block p 0"},
		"a directory is not in itself":                     {[]string{"file Block tree /a/"}, "delete /a", "Allow"},
		"a name that only begins so is no entry":           {[]string{"file Block tree /a/"}, "read /ab/c", "Allow"},
		"the root has everything":                          {[]string{"file Block tree /"}, "read /a/b/c", "Block p 0"},
		"the root's entries":                               {[]string{"file Block dir /"}, "read /a", "Block p 0"},
		"the root itself is in no directory":               {[]string{"file Block tree /"}, "read /", "Allow"},
		"execname is the last component":                   {[]string{"process Block execname sh"}, "exec /opt/x/sh", "Block p 0"},
		"execname is the whole component":                  {[]string{"process Block execname sh"}, "exec /bin/bash", "Allow"},
		"a glob matches the whole path":                    {[]string{"file Block pattern /a/*.key"}, "read /a/b.key", "Block p 0"},
		"a star stops at a slash":                          {[]string{"file Block pattern /a/*.key"}, "read /a/b/c.key", "Allow"},
		"two stars do not":                                 {[]string{"file Block pattern /a/**.key"}, "read /a/b/c.key", "Block p 0"},
		"a star that is a component has at least one byte": {[]string{"file Block pattern /a/*/c"}, "read /a/c", "Allow"},
		"a question mark is one byte":                      {[]string{"file Block pattern /a/?"}, "read /a/bb", "Allow"},
		"and not a slash":                                  {[]string{"file Block pattern /a?b"}, "read /a/b", "Allow"},
		"a class":                                          {[]string{"file Block pattern /a[b-d]"}, "read /ac", "Block p 0"},
		"a class that excludes":                            {[]string{"file Block pattern /a[^b-d]"}, "read /ac", "Allow"},
		"alternatives":                                     {[]string{"file Block pattern /{etc,opt/*}/x"}, "read /opt/y/x", "Block p 0"},
		"an object without a path passes":                  {[]string{"file Block tree /"}, "read object", "Allow"},
	}, nil)
}

func TestOperations(t *testing.T) {
	hold(t, map[string]sentence{
		"rename is judged by its old path":   {[]string{"file Block path /a"}, "rename /a to /b", "Block p 0"},
		"and by its new path":                {[]string{"file Block path /b"}, "rename /a to /b", "Block p 0"},
		"the stronger verdict holds":         {[]string{"file Audit path /a", "file Block path /b"}, "rename /a to /b", "Block p 1"},
		"of two equal ones that of the old":  {[]string{"file Block path /b", "file Block path /a"}, "rename /a to /b", "Block p 1"},
		"link is judged by both":             {[]string{"file Block path /b"}, "link /a to /b", "Block p 0"},
		"the owner of what is replaced":      {[]string{"file Block path /b ownerOnly"}, "rename /a to /b uid 1 owner 1 replacing 2", "Block p 0"},
		"nobody owns a new name":             {[]string{"file Block path /b ownerOnly"}, "rename /a to /b uid 1 owner 2", "Allow"},
		"exec is of the process domain":      {[]string{"file Block path /a"}, "exec /a", "Allow"},
		"reading a program is of the file's": {[]string{"file Block path /a"}, "read /a", "Block p 0"},
	}, nil)
}

func TestWhatIsBlockedKeepsItsName(t *testing.T) {
	hold(t, map[string]sentence{
		"a program that may not run gets no other name": {[]string{"process Block path /a"}, "rename /a to /b", "Block p 0"},
		"nor a second one":                                {[]string{"process Block execname a"}, "link /x/a to /b", "Block p 0"},
		"a rule that only audits does not hold it":        {[]string{"process Audit path /a"}, "rename /a to /b", "Allow"},
		"nor does an allow-list of processes":             {[]string{"process Allow path /x"}, "rename /a to /b", "Allow"},
		"nor an exception from a Block":                   {[]string{"process Block tree /a/", "process Allow path /a/b"}, "rename /a/b to /c", "Allow"},
		"arguments are not known yet, so they spare none": {[]string{"process Block path /a args -v"}, "rename /a to /b", "Block p 0"},
		"the owner is":                                    {[]string{"process Block path /a ownerOnly"}, "rename /a to /b uid 1 owner 1", "Allow"},
		"the new name may be a blocked one":               {[]string{"process Block path /b"}, "rename /a to /b", "Allow"},
		"a directory with something blocked in it":        {[]string{"file Block path /a/b/c"}, "rename /a to /x directory", "Block p 0"},
		"also when it may not be executed":                {[]string{"process Block path /a/b/c"}, "rename /a/b to /x directory", "Block p 0"},
		"a blocked directory itself":                      {[]string{"file Block tree /a/b/"}, "rename /a/b to /x directory", "Block p 0"},
		"whatever its conditions":                         {[]string{"file Block path /a/b readOnly"}, "rename /a to /x directory", "Block p 0"},
		"only what this executable may not":               {[]string{"file Block path /a/b from /x"}, "rename /a to /c directory by /y", "Allow"},
		"but that":                                        {[]string{"file Block path /a/b from /x"}, "rename /a to /c directory by /x", "Block p 0"},
		"a name that only begins so is no directory":      {[]string{"file Block path /ab/c"}, "rename /a to /x directory", "Allow"},
		"an audited thing does not hold its directory":    {[]string{"file Audit path /a/b"}, "rename /a to /x directory", "Allow"},
		"a pattern does not":                              {[]string{"file Block pattern /a/*"}, "rename /a to /x directory", "Allow"},
		"a file has nothing inside":                       {[]string{"file Block path /a/b"}, "rename /a to /x", "Allow"},
		"the first name is told":                          {[]string{"file Block path /a/c", "file Block dir /a/", "file Block path /a/b"}, "rename /a to /x directory", "Block p 2"},
		"a path that cannot be told may be such":          {[]string{"process Block path /a"}, "rename unresolved", "Block UnresolvedPath"},
	}, nil)
}
