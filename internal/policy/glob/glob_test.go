// SPDX-License-Identifier: Apache-2.0

package glob

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatAGlobMatches(t *testing.T) {
	long := strings.Repeat("/abcdefg", 500)
	tests := map[string]struct {
		pattern string
		is      []string
		isNot   []string
	}{
		"a plain path is itself":                        {"/etc/passwd", []string{"/etc/passwd"}, []string{"/etc/passwd2", "/etc/passw", "/etc", "", "etc/passwd"}},
		"a star stays within its component":             {"/etc/*.conf", []string{"/etc/a.conf", "/etc/.conf", "/etc/a.b.conf"}, []string{"/etc/a/b.conf", "/etc/a.confx"}},
		"a star that is a whole component is not empty": {"/a/*/b", []string{"/a/x/b", "/a/xyz/b"}, []string{"/a//b", "/a/b", "/a/x/y/b"}},
		"a star at the end is not empty":                {"/a/*", []string{"/a/b"}, []string{"/a/", "/a", "/a/b/c", "/a/b/"}},
		"two stars are":                                 {"/a/**", []string{"/a/b", "/a/b/c", "/a//"}, []string{"/a/", "/a"}},
		"two stars between slashes are not empty":       {"/a/**/b", []string{"/a/x/b", "/a/x/y/b"}, []string{"/a/b", "/a//b"}},
		"two stars after something may be empty":        {"/a**", []string{"/a", "/ab", "/a/b"}, []string{"/b"}},
		"two stars before something may be empty":       {"/a/**.so", []string{"/a/.so", "/a/b.so", "/a/b/c.so"}, []string{"/a/b.so.1"}},
		"two stars at the beginning":                    {"**/x", []string{"/x", "/a/x", "/a/b/x"}, []string{"/xx"}},
		"three stars are two":                           {"/a/***", []string{"/a/b/c"}, []string{"/a/"}},
		"a question mark is one byte":                   {"/etc/?hado?", []string{"/etc/shadow", "/etc/xhado\xff"}, []string{"/etc/hado", "/etc/shado", "/etc//hado/", "/etc/shadows"}},
		"a question mark is a byte, not a letter":       {"/?", []string{"/a"}, []string{"/ä", "//", "/"}},
		"a class":                                       {"/[abx-z]", []string{"/a", "/b", "/x", "/y", "/z"}, []string{"/c", "/w", "/", "/ab"}},
		"a class of what is not":                        {"/[^abx-z]", []string{"/c", "/w", "/-", "/\xff"}, []string{"/a", "/y", "//", "/"}},
		"no class holds a slash":                        {"/a[.-0]b", []string{"/a.b", "/a0b"}, []string{"/a/b"}},
		"a class with special bytes":                    {`/[\]\-\\*?{},^[]`, []string{"/]", "/-", `/\`, "/*", "/?", "/{", "/}", "/,", "/^", "/["}, []string{"/a"}},
		"a minus at either end is itself":               {"/[-a][b-]", []string{"/-b", "/a-", "/--"}, []string{"/bb"}},
		"a range with escaped ends":                     {`/[\a-\c]`, []string{"/b"}, []string{"/-"}},
		"a class with bytes over 127":                   {"/[\x80-\xff]", []string{"/\x80", "/\xc3", "/\xff"}, []string{"/\x7f", "/a"}},
		"alternatives":                                  {"/{a,bc}/d", []string{"/a/d", "/bc/d"}, []string{"/b/d", "/a,bc/d", "//d"}},
		"alternatives may be empty":                     {"/a{,b}", []string{"/a", "/ab"}, []string{"/abb", "/a,b"}},
		"alternatives nest":                             {"/{a,{b,c{d,}}}e", []string{"/ae", "/be", "/cde", "/ce"}, []string{"/e", "/abe"}},
		"alternatives hold globs":                       {"/{*.so,lib/**}", []string{"/a.so", "/.so", "/lib/x", "/lib/x/y"}, []string{"/a/b.so", "/lib/", "/lib"}},
		"one alternative":                               {"/{a}", []string{"/a"}, []string{"/{a}"}},
		"nothing in braces":                             {"/a{}", []string{"/a"}, []string{"/a{}"}},
		"alternatives with slashes":                     {"/usr{,/local}/bin", []string{"/usr/bin", "/usr/local/bin"}, []string{"/usr/local"}},
		"a star in braces that is a whole component":    {"/a/{*,b}", []string{"/a/b", "/a/c"}, []string{"/a/"}},
		"a star that becomes one when braces are empty": {"/a/{,x}*", []string{"/a/x", "/a/y", "/a/xy"}, []string{"/a/"}},
		"a star before braces that begin with a slash":  {"/a/*{,/b}", []string{"/a/x", "/a/x/b", "/a/b"}, []string{"/a/", "/a//b"}},
		"a star before braces that do not":              {"/a/*{,b}", []string{"/a/x", "/a/b"}, []string{"/a/"}},
		"two stars of their own are one component":      {"/a/{*}{*}/b", []string{"/a/x/b", "/a/xy/b"}, []string{"/a//b", "/a/x/y/b"}},
		"escaped bytes":                                 {`/\*\?\[\]\{\}\\\a\,`, []string{`/*?[]{}\a,`}, []string{`/aa`}},
		"an escaped slash is one":                       {`\/a\/*`, []string{"/a/b"}, []string{"/a/", "/a"}},
		"a comma outside of braces is one":              {"/a,b", []string{"/a,b"}, []string{"/a", "/b"}},
		"a minus and a caret outside of classes":        {"/a-^!", []string{"/a-^!"}, nil},
		"an exclamation mark is a byte":                 {"/[!a]", []string{"/!", "/a"}, []string{"/b"}},
		"the root":                                      {"/", []string{"/"}, []string{"", "//", "/a"}},
		"alternatives that begin with a slash":          {"{/a,/b}", []string{"/a", "/b"}, []string{"a"}},
		"many stars on a long path":                     {"/**a**b**c**d**e**f**x", []string{long + "x"}, []string{long}},
		"many stars in many braces":                     {"/" + strings.Repeat("{*,**,*a*}", 50) + "x", []string{long + "x"}, []string{long}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := Parse(test.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if g.String() != test.pattern {
				t.Errorf("the glob is written %q", g)
			}
			for _, path := range test.is {
				if !g.Match(path) {
					t.Errorf("%q does not match %q", test.pattern, path)
				}
				if !strings.HasPrefix(path, g.Literal()) {
					t.Errorf("%q has the literal %q", test.pattern, g.Literal())
				}
			}
			for _, path := range test.isNot {
				if g.Match(path) {
					t.Errorf("%q matches %q", test.pattern, path)
				}
			}
		})
	}
}

func TestTheLiteralEndsWhereTheGlobBegins(t *testing.T) {
	for pattern, want := range map[string]string{
		"/etc/passwd": "/etc/passwd", "/etc/*hado?": "/etc/", "/opt/app-[0-9]/x": "/opt/app-", `/a\*b?`: "/a*b", "/a[b]c*": "/abc",
		"**/x": "", "/usr{,/local}/bin": "/usr",
	} {
		g, err := Parse(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if g.Literal() != want {
			t.Errorf("%q has the literal %q, want %q", pattern, g.Literal(), want)
		}
	}
}

func TestWhatIsNoGlob(t *testing.T) {
	tests := map[string]struct {
		pattern  string
		position int
		says     string
	}{
		"a class that is not closed":               {"/a[bc", 2, `"[" is not closed`},
		"a class whose end is escaped":             {`/a[bc\]`, 2, `"[" is not closed`},
		"braces that are not closed":               {"/a/{b,c", 3, `"{" is not closed`},
		"inner braces that are not closed":         {"/{a,{b,c}", 1, `"{" is not closed`},
		"inner braces that are not closed, inside": {"/{a,{b", 4, `"{" is not closed`},
		"an empty class":                           {"/a[]b]", 2, "empty"},
		"an empty class of what is not":            {"/a[^]b", 2, "empty"},
		"a class of a slash alone":                 {"/a[/]b", 2, "matches nothing"},
		"a range backwards":                        {"/a[bz-a]", 4, "ends before"},
		"a backslash at the end":                   {`/a\`, 2, "nothing follows"},
		"a backslash at the end of a class":        {`/a[\`, 3, "nothing follows"},
		"a brace that closes nothing":              {"/a}", 2, "nothing is open"},
		"a bracket that closes nothing":            {"/a]", 2, "nothing is open"},
		"nothing":                                  {"", 0, "no absolute path"},
		"a relative path":                          {"etc/passwd", 0, "no absolute path"},
		"one star, which is no slash":              {"*.conf", 0, "no absolute path"},
		"alternatives without a slash":             {"{a,b}/c", 0, "no absolute path"},
		"a zero byte":                              {"/a\x00", 2, "zero byte"},
		"4,096 bytes":                              {"/" + strings.Repeat("a", 4095), 4095, "4095 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(test.pattern)
			var refusal *Error
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, test.says) || refusal.Position != test.position {
				t.Errorf("got %v, want %q at byte %d", err, test.says, test.position)
			}
		})
	}
	if _, err := Parse("/" + strings.Repeat("{", 2047) + strings.Repeat("}", 2047)); err != nil {
		t.Errorf("4,095 bytes of braces: %v", err)
	}
}

func TestTheStepsOfAGlob(t *testing.T) {
	g, err := Parse("/{a,*}")
	if err != nil {
		t.Fatal(err)
	}
	var slash, a Set
	slash.add('/')
	a.add('a')
	want := []Step{
		{Kind: KindBranch, Next: []int{5}},
		{Kind: KindEnd},
		{Kind: KindByte, Set: a, Next: []int{1}},
		{Kind: KindStar, Next: []int{1}},
		{Kind: KindBranch, Next: []int{2, 3}},
		{Kind: KindByte, Set: slash, Next: []int{4}},
	}
	if diff := cmp.Diff(want, g.Steps()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
