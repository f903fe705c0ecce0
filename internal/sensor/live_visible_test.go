// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// show is confine with visibility.
func (r *rig) show(w *workload, visible []string, rules ...compile.Rule) {
	r.t.Helper()
	set := r.set(map[*workload][]compile.Rule{w: rules})
	set.Profiles[0].Visible = compile.DomainsOf(visible)
	set.Profiles[0].ID += compile.ProfileID(r.gen << 32)
	set.Bindings[w.cgroup] = set.Profiles[0].ID
	if err := r.core.Apply(r.t.Context(), set); err != nil {
		r.t.Fatal(err)
	}
}

// shown are the events in words, each once, of those that say something about what.
func shown(events []Event, what ...string) []string {
	seen := map[string]bool{}
	for _, e := range events {
		kind := map[compile.Action]string{compile.ActionAudit: "audit", compile.ActionBlock: "block"}[e.Action]
		if e.IsLog() {
			kind = "log"
		}
		line := fmt.Sprintf("%s %s %s", kind, e.Operation, e.Resource)
		if e.Denied {
			line += " denied"
		}
		if slices.ContainsFunc(what, func(w string) bool { return strings.Contains(line, w) }) {
			seen[line] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// TestWhatIsVisibleIsReported: what nothing forbids is a log where its domain is visible, and nothing else is; what a rule
// decides against is reported as it was.
func TestWhatIsVisibleIsReported(t *testing.T) {
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		t.Run(string(mode), func(t *testing.T) { reportVisible(t, mode) })
	}
}

func reportVisible(t *testing.T, mode Mode) {
	r := newRig(t, Options{Mode: mode})
	w, free := r.workload("visible"), r.workload("free")
	at := func(name string) string { return filepath.Join(r.dir, name) }
	for _, name := range []string{"file", "secret", "watched", "program"} {
		touch(t, at(name))
	}
	secret, watched := block(files, exact, at("secret")), rule(compile.ActionAudit, files, exact, at("watched"))
	spared := rule(compile.ActionAllow, files, exact, at("file"))
	chroot := rule(compile.ActionAudit, compile.DomainCapabilities, compile.MatchCapability, "sys_chroot")
	blocked, errno := " denied", denied
	if mode == ModeObserve {
		blocked, errno = "", syscall.Errno(0)
	}
	all := []string{"process", "file", "network", "capabilities"}
	tcp := []string{"socket", fmt.Sprint(unix.AF_INET), fmt.Sprint(unix.SOCK_STREAM), "0"}
	tests := map[string]struct {
		visible []string
		rules   []compile.Rule
		do      []string
		errno   syscall.Errno
		want    []string
	}{
		"a file that is opened":             {[]string{"file"}, nil, []string{"open", at("file")}, 0, []string{"log open " + at("file")}},
		"a file that is made and opened":    {[]string{"file"}, nil, []string{"write", at("new")}, 0, []string{"log create " + at("new"), "log open " + at("new")}},
		"a file beside one that is blocked": {[]string{"file"}, []compile.Rule{secret}, []string{"open", at("file")}, 0, []string{"log open " + at("file")}},
		"what a rule allows":                {[]string{"file"}, []compile.Rule{secret, spared}, []string{"open", at("file")}, 0, []string{"log open " + at("file")}},
		"what a rule blocks is no log":      {[]string{"file"}, []compile.Rule{secret}, []string{"open", at("secret")}, errno, []string{"block open " + at("secret") + blocked}},
		"what a rule audits is no log":      {[]string{"file"}, []compile.Rule{watched}, []string{"open", at("watched")}, 0, []string{"audit open " + at("watched")}},
		"an audit without visibility":       {nil, []compile.Rule{watched}, []string{"open", at("watched")}, 0, []string{"audit open " + at("watched")}},
		"without visibility nothing":        {nil, []compile.Rule{watched}, []string{"open", at("file")}, 0, nil},
		"of another domain nothing":         {[]string{"process", "network"}, []compile.Rule{watched}, []string{"open", at("file")}, 0, nil},
		"a program that is executed":        {[]string{"process"}, nil, []string{"exec", at("program")}, 0, []string{"log exec " + at("program")}},
		"both of a program":                 {all, nil, []string{"exec", at("program")}, 0, []string{"log exec " + at("program"), "log open " + at("program")}},
		"both names of a rename, each once": {all, nil, []string{"rename", at("new"), at("newer")}, 0, []string{"log rename " + at("new"), "log rename " + at("newer")}},
		"a rename where blocks are named":   {[]string{"process"}, []compile.Rule{block(process, exact, at("secret"))}, []string{"rename", at("newer"), at("new")}, 0, nil},
		"a socket":                          {[]string{"network"}, nil, tcp, 0, []string{"log socket family=AF_INET type=SOCK_STREAM protocol=0"}},
		"a name that is looked up":          {[]string{"dns"}, nil, []string{"lookup", "udp", "some.example"}, 0, []string{"log lookup domain=some.example protocol=UDP server=127.0.0.1:53"}},
		"a capability":                      {[]string{"capabilities"}, nil, []string{"chroot-only", "/"}, 0, []string{"log capable CAP_SYS_CHROOT"}},
		"a capability that a rule audits":   {[]string{"capabilities"}, []compile.Rule{chroot}, []string{"chroot-only", "/"}, 0, []string{"audit capable CAP_SYS_CHROOT"}},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		test := tests[name]
		t.Run(name, func(t *testing.T) {
			r.t, w.t, free.t = t, t, t
			if slices.Contains(test.do, at("newer")) {
				touch(t, test.do[1])
			} else {
				os.Remove(at("new"))
			}
			r.show(w, test.visible, test.rules...)
			r.take()
			if got := w.do(test.do[0], test.do[1:]...); got != test.errno {
				t.Errorf("%s: %v, want %v", test.do, got, test.errno)
			}
			events := r.take()
			if diff := cmp.Diff(test.want, shown(events, r.dir, "AF_INET", "CHROOT", "domain=")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, e := range events {
				if e.IsLog() && !set(test.visible).Has(e.Domain) {
					t.Errorf("a log of a domain that is not visible: %+v", e)
				}
			}
			if got := free.do("open", at("file")); got != 0 {
				t.Errorf("in a workload that is bound to nothing: %v", got)
			}
			if events := r.take(); len(events) != 0 {
				t.Errorf("of a workload that is bound to nothing: %v", shown(events, ""))
			}
		})
	}
}

func set(words []string) compile.Domains { return compile.DomainsOf(words) }

// TestAFloodOfLogsPushesNoAuditOut: logs fill half of the ring at most, and what does not fit is counted as a log.
func TestAFloodOfLogsPushesNoAuditOut(t *testing.T) {
	r := &rig{t: t, dir: realDir(t)}
	requireMode(t, ModeEnforce)
	r.core = openCore(t, Options{Mode: ModeEnforce})
	w := r.workload("visible")
	file, watched := touch(t, filepath.Join(r.dir, "file")), touch(t, filepath.Join(r.dir, "watched"))
	r.show(w, []string{"file"}, rule(compile.ActionAudit, files, exact, watched))
	// Nobody reads yet.
	for _, do := range [][]string{{"open-often", file, "4000"}, {"open", watched}} {
		if got := w.do(do[0], do[1:]...); got != 0 {
			t.Errorf("%v: %v", do, got)
		}
	}
	drops := stats(t, r.core).Drops
	if drops["log_ring_full"] == 0 || drops["audit_ring_full"] != 0 {
		t.Fatalf("lost: %v; want logs alone", drops)
	}
	r.listen(r.core)
	events := r.await()
	if got := shown(events, "audit"); len(got) != 1 || got[0] != "audit open "+watched {
		t.Errorf("audits behind a flood of logs: %v", got)
	}
	logs := uint64(0)
	for i := range events {
		if events[i].IsLog() && events[i].Resource == file {
			logs++
		}
	}
	if logs == 0 || logs+drops["log_ring_full"] < 4000 {
		t.Errorf("%d logs were read and %d counted as lost, of 4000 and more", logs, drops["log_ring_full"])
	}
}

// TestConnectionsSayBetweenWhom: TCP and UDP, by IPv4 and IPv6, each operation with the ends that it has.
func TestConnectionsSayBetweenWhom(t *testing.T) {
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		t.Run(string(mode), func(t *testing.T) { sayBetweenWhom(t, mode) })
	}
}

func sayBetweenWhom(t *testing.T, mode Mode) {
	r := newRig(t, Options{Mode: mode})
	w := r.workload("visible")
	r.show(w, []string{"network"})
	for name, local := range map[string]string{"4": "127.0.0.1", "6": "[::1]"} {
		t.Run("IPv"+name, func(t *testing.T) {
			r.t, w.t = t, t
			r.take()
			if got := w.do("talk", local, "4711", "4712"); got != 0 {
				t.Fatalf("talk: %v", got)
			}
			var got []string
			for _, line := range shown(r.take(), "INET") {
				line = strings.NewReplacer(" family=AF_INET6", "", " family=AF_INET", "", "type=", "", "protocol=", "", local, "me", "127.0.0.1", "me", "0.0.0.0", "any", "[::]", "any").Replace(line)
				got = append(got, regexp.MustCompile(`:[1-9][0-9]{4}`).ReplaceAllString(line, ":other"))
			}
			slices.Sort(got)
			want := []string{
				"log accept SOCK_STREAM 6 local=me:4711",
				"log bind SOCK_DGRAM 17 local=me:4712",
				"log bind SOCK_STREAM 6 local=me:4711",
				"log connect SOCK_DGRAM 17 remote=me:4712",
				"log connect SOCK_STREAM 6 remote=me:4711",
				"log listen SOCK_STREAM 6 local=me:4711",
				"log sendmsg SOCK_DGRAM 17 local=me:4712 remote=me:4711",
				"log socket SOCK_DGRAM 0",
				"log socket SOCK_STREAM 0",
			}
			if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
