// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// languageCase is one operation under one set of rules.
type languageCase struct {
	rules    []compile.Rule
	postures map[compile.Domain]compile.Action
	// do is the operation of a worker and its arguments.
	do    []string
	errno syscall.Errno
	// rule that must have sent the one event of this operation; none if it is 0.
	rule      compile.RuleID
	operation string
}

func (r *rig) check(t *testing.T, w *workload, c languageCase) {
	t.Helper()
	w.t, r.t = t, t
	r.confinePosture(map[*workload][]compile.Rule{w: c.rules}, c.postures)
	r.take()
	if got := w.do(c.do[0], c.do[1:]...); got != c.errno {
		t.Errorf("%s: %v, want %v", c.do, got, c.errno)
	}
	var got, others []Event
	for _, e := range r.take() {
		switch {
		case e.Rule == c.rule && e.Operation == c.operation:
			got = append(got, e)
		// The steps before it, of what is only audited.
		case e.Rule != c.rule || e.Denied:
			others = append(others, e)
		}
	}
	// What the worker itself needs is subject to a posture too.
	if c.rule == RulePosture && len(got) > 0 {
		return
	}
	if len(got) != btoi(c.rule != 0) || len(others) != 0 {
		t.Errorf("%d events of rule %x and operation %q, and others: %+v", len(got), uint64(c.rule), c.operation, others)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func with(r compile.Rule, change func(*compile.Rule)) compile.Rule {
	change(&r)
	r.ID = 0
	r.ID = compile.RuleID(profileOf([]compile.Rule{r}).ID) >> 1
	return r
}

func TestEveryWayToChangeFilesIsJudged(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	missing := stats(t, r.core).Missing
	at := func(name string) string { return filepath.Join(r.dir, name) }
	for _, name := range []string{"file", "free", "empty/x", "program", "bin/tool", "deep/er/secret"} {
		touch(t, at(name))
	}
	os.Remove(at("empty/x"))
	noExec := block(process, exact, at("program"))
	noTool := block(process, exact, at("bin/tool"))
	noSecret := block(files, exact, at("deep/er/secret"))
	on := func(name string) compile.Rule { return block(files, exact, at(name)) }
	tests := map[string]struct {
		rule      compile.Rule
		do        []string
		operation string
	}{
		"unlink":                            {on("file"), []string{"unlink", at("file")}, OperationUnlink},
		"rmdir":                             {on("empty"), []string{"rmdir", at("empty")}, OperationRmdir},
		"mkdir":                             {on("new"), []string{"mkdir", at("new")}, OperationMkdir},
		"mknod":                             {on("new"), []string{"mknod", at("new")}, OperationCreate},
		"create":                            {on("new"), []string{"write", at("new")}, OperationCreate},
		"symlink":                           {on("new"), []string{"symlink", at("new")}, OperationSymlink},
		"chmod":                             {on("file"), []string{"chmod", at("file")}, OperationChmod},
		"chown":                             {on("file"), []string{"chown", at("file")}, OperationChown},
		"truncate":                          {on("file"), []string{"truncate", at("file")}, OperationTruncate},
		"the old name of a rename":          {on("file"), []string{"rename", at("file"), at("free")}, OperationRename},
		"the new name of a rename":          {on("new"), []string{"rename", at("free"), at("new")}, OperationRename},
		"the old name of a link":            {on("file"), []string{"link", at("file"), at("new")}, OperationLink},
		"the new name of a link":            {on("new"), []string{"link", at("free"), at("new")}, OperationLink},
		"one of two names that change":      {on("file"), []string{"exchange", at("free"), at("file")}, OperationRename},
		"renaming what may not be executed": {noExec, []string{"rename", at("program"), at("free")}, OperationRename},
		"linking what may not be executed":  {noExec, []string{"link", at("program"), at("new")}, OperationLink},
		"exchanging it":                     {noExec, []string{"exchange", at("free"), at("program")}, OperationRename},
		"renaming what it is in":            {noTool, []string{"rename", at("bin"), at("new")}, OperationRename},
		"renaming far above a blocked file": {noSecret, []string{"rename", at("deep"), at("new")}, OperationRename},
		"exchanging far above it":           {noSecret, []string{"exchange", at("bin"), at("deep")}, OperationRename},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			errno := denied
			if slices.Contains(missing, "lsm/path_"+test.do[0]) {
				t.Logf("this kernel has no hook for %s", test.do[0])
				errno = 0
			}
			rule := test.rule.ID
			if errno == 0 {
				rule = 0
			}
			r.check(t, w, languageCase{rules: []compile.Rule{test.rule}, do: test.do, errno: errno, rule: rule, operation: test.operation})
			if errno != 0 {
				other := block(files, exact, at("something else"))
				r.check(t, w, languageCase{rules: []compile.Rule{other}, do: test.do})
				r.undo(t, test.do)
			}
		})
	}
}

// undo puts everything back where an operation succeeded.
func (r *rig) undo(t *testing.T, did []string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(r.dir, name) }
	switch did[0] {
	case "exchange":
		if err := unix.Renameat2(unix.AT_FDCWD, did[1], unix.AT_FDCWD, did[2], unix.RENAME_EXCHANGE); err != nil {
			t.Error(err)
		}
	case "rename":
		if err := os.Rename(did[2], did[1]); err != nil {
			t.Error(err)
		}
	default:
		os.RemoveAll(at("new"))
	}
	for _, name := range []string{"file", "free", "program"} {
		touch(t, at(name))
	}
	if err := os.MkdirAll(at("empty"), 0o755); err != nil {
		t.Error(err)
	}
}

func TestConditionsAndRanks(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	at := func(name string) string { return filepath.Join(r.dir, name) }
	for _, name := range []string{"own", "others", "dir/a", "tool", "named"} {
		touch(t, at(name))
	}
	if err := os.Chown(at("others"), 1234, 1234); err != nil {
		t.Fatal(err)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	script(t, at("script"), at("tool"))
	readOnly := func(r *compile.Rule) { r.Conditions = compile.ConditionRead }
	ownerOnly := func(r *compile.Rule) { r.Conditions = compile.ConditionOwner }
	arguments := func(list ...string) func(*compile.Rule) {
		return func(r *compile.Rule) { r.Conditions, r.Arguments = compile.ConditionArguments, list }
	}
	from := func(source string) func(*compile.Rule) { return func(r *compile.Rule) { r.Source = source } }
	allow := func(domain compile.Domain, match compile.Match, path string) compile.Rule {
		return with(rule(compile.ActionAllow, domain, match, path), func(*compile.Rule) {})
	}
	blocked := func(domain compile.Domain, match compile.Match, path string, change func(*compile.Rule)) compile.Rule {
		return with(block(domain, match, path), change)
	}
	read := blocked(files, exact, at("own"), readOnly)
	owned := blocked(files, exact, at("others"), ownerOnly)
	mine := blocked(files, exact, at("own"), ownerOnly)
	listed := blocked(process, exact, at("tool"), arguments("-a", strings.Repeat("long", 40)))
	onScript := blocked(process, exact, at("script"), arguments("-a"))
	named := blocked(process, compile.MatchExecName, "named", func(*compile.Rule) {})
	fromSelf := blocked(files, exact, at("own"), from(self))
	fromOther := blocked(files, exact, at("own"), from("/usr/bin/other"))
	fileBlock := map[compile.Domain]compile.Action{files: compile.ActionBlock}
	execBlock := map[compile.Domain]compile.Action{process: compile.ActionBlock}
	long := strings.Repeat("long", 40)
	everything := allow(files, recursive, "/")
	only := func(rules ...compile.Rule) []compile.Rule { return rules }
	tests := map[string]languageCase{
		"a read of what is read only":                    {only(read), nil, []string{"open", at("own")}, 0, 0, ""},
		"a write to it":                                  {only(read), nil, []string{"write", at("own")}, denied, read.ID, OperationOpen},
		"the owner":                                      {only(mine), nil, []string{"open", at("own")}, 0, 0, ""},
		"another than the owner":                         {only(owned), nil, []string{"open", at("others")}, denied, owned.ID, OperationOpen},
		"a name to execute":                              {only(named), nil, []string{"run", at("named")}, denied, named.ID, OperationExec},
		"another name":                                   {only(named), nil, []string{"run", at("tool")}, 0, 0, ""},
		"an exact path beats a name":                     {only(named, allow(process, exact, at("named"))), nil, []string{"run", at("named")}, 0, 0, ""},
		"a rule for this executable":                     {only(fromSelf), nil, []string{"open", at("own")}, denied, fromSelf.ID, OperationOpen},
		"a rule for another one":                         {only(fromOther), nil, []string{"open", at("own")}, 0, 0, ""},
		"a rule for one beats a rule for all":            {only(fromSelf, allow(files, exact, at("own"))), nil, []string{"open", at("own")}, denied, fromSelf.ID, OperationOpen},
		"no argument":                                    {only(listed), nil, []string{"run", at("tool")}, 0, 0, ""},
		"permitted arguments":                            {only(listed), nil, []string{"run", at("tool"), "-a", long, "-a"}, 0, 0, ""},
		"an argument that is not permitted":              {only(listed), nil, []string{"run", at("tool"), "-a", "-b"}, killed, listed.ID, OperationExec},
		"an empty one":                                   {only(listed), nil, []string{"run", at("tool"), ""}, killed, listed.ID, OperationExec},
		"one that begins alike":                          {only(listed), nil, []string{"run", at("tool"), long + "x"}, killed, listed.ID, OperationExec},
		"a script's permitted argument":                  {only(onScript), nil, []string{"run", at("script"), "-a"}, 0, 0, ""},
		"a script's other argument":                      {only(onScript), nil, []string{"run", at("script"), "-a", "-b"}, killed, onScript.ID, OperationExec},
		"what an allow-list allows":                      {only(everything), fileBlock, []string{"open", at("own")}, 0, 0, ""},
		"what it does not name":                          {only(allow(files, recursive, at("dir")+"/")), map[compile.Domain]compile.Action{files: compile.ActionAudit}, []string{"open", at("own")}, 0, RulePosture, OperationOpen},
		"what it allows to read only, when written":      {only(everything, with(allow(files, exact, at("own")), readOnly)), fileBlock, []string{"write", at("own")}, denied, RulePosture, OperationOpen},
		"the same, when read":                            {only(everything, with(allow(files, exact, at("own")), readOnly)), fileBlock, []string{"open", at("own")}, 0, 0, ""},
		"an executable that an allow-list does not name": {only(allow(process, exact, at("tool")), allow(process, exact, self)), execBlock, []string{"run", at("named")}, denied, RulePosture, OperationExec},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { r.check(t, w, test) })
	}
}

func TestSocketsAndCapabilities(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	network, capabilities := compile.DomainNetwork, compile.DomainCapabilities
	word := func(action compile.Action, protocol string) compile.Rule {
		return with(rule(action, network, compile.MatchProtocol, protocol), func(*compile.Rule) {})
	}
	noTCP, noStream, noAll := word(compile.ActionBlock, "tcp"), word(compile.ActionBlock, "stream"), word(compile.ActionBlock, "all")
	raw, icmp := word(compile.ActionBlock, "raw"), word(compile.ActionAllow, "icmp")
	noUDP := word(compile.ActionBlock, "udp")
	watch, watchTCP := word(compile.ActionAudit, "all"), word(compile.ActionAudit, "tcp")
	networkBlock := map[compile.Domain]compile.Action{network: compile.ActionBlock}
	noChroot := with(block(capabilities, compile.MatchCapability, "sys_chroot"), func(*compile.Rule) {})
	onlyRaw := with(rule(compile.ActionAllow, capabilities, compile.MatchCapability, "net_raw"), func(*compile.Rule) {})
	only := func(rules ...compile.Rule) []compile.Rule { return rules }
	tests := map[string]languageCase{
		"tcp":                           {only(noTCP), nil, []string{"socket", "2", "1", "0"}, denied, noTCP.ID, OperationSocket},
		"tcp of the other family":       {only(noTCP), nil, []string{"socket", "10", "1", "6"}, denied, noTCP.ID, OperationSocket},
		"multipath TCP is tcp":          {only(noTCP), nil, []string{"socket", "2", "1", "262"}, denied, noTCP.ID, OperationSocket},
		"an allowed multipath socket":   {only(word(compile.ActionAllow, "tcp")), networkBlock, []string{"multipath"}, 0, 0, ""},
		"one that is only watched":      {only(watchTCP), nil, []string{"multipath"}, 0, watchTCP.ID, OperationConnect},
		"SMC is tcp":                    {only(noTCP), nil, []string{"socket", "43", "1", "0"}, denied, noTCP.ID, OperationSocket},
		"UDP-Lite is udp":               {only(noUDP), nil, []string{"socket", "2", "2", "136"}, denied, noUDP.ID, OperationSocket},
		"tcp is no unix stream":         {only(noTCP), nil, []string{"socket", "1", "1", "0"}, 0, 0, ""},
		"tcp is no udp":                 {only(noTCP), nil, []string{"socket", "2", "2", "0"}, 0, 0, ""},
		"streams of any family":         {only(noStream), nil, []string{"socket", "1", "1", "0"}, denied, noStream.ID, OperationSocket},
		"everything":                    {only(noAll), nil, []string{"socket", "2", "2", "0"}, denied, noAll.ID, OperationSocket},
		"a protocol beats all":          {only(noAll, word(compile.ActionAllow, "tcp")), nil, []string{"socket", "2", "1", "0"}, 0, 0, ""},
		"raw beats icmp by Block":       {only(raw, icmp), nil, []string{"socket", "2", "3", "1"}, denied, raw.ID, OperationSocket},
		"connect, of what was there":    {only(noUDP), nil, []string{"connect"}, denied, noUDP.ID, OperationSocket},
		"what is audited":               {only(watch), nil, []string{"connect"}, 0, watch.ID, OperationConnect},
		"an allow-list of sockets":      {only(word(compile.ActionAllow, "udp")), networkBlock, []string{"socket", "2", "1", "0"}, denied, RulePosture, OperationSocket},
		"a capability":                  {only(noChroot), nil, []string{"chroot-only", "/"}, unix.EPERM, noChroot.ID, OperationCapable},
		"another capability":            {only(noChroot), nil, []string{"socket", "2", "3", "1"}, 0, 0, ""},
		"an allow-list of capabilities": {only(onlyRaw), map[compile.Domain]compile.Action{capabilities: compile.ActionBlock}, []string{"chroot-only", "/"}, unix.EPERM, RulePosture, OperationCapable},
	}
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP); err != nil {
		t.Log("this kernel makes no sockets of multipath TCP, so only their denial is tested: ", err)
		delete(tests, "an allowed multipath socket")
		delete(tests, "one that is only watched")
	} else {
		unix.Close(fd)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { r.check(t, w, test) })
	}
}
