// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	shop   = "testdata/policies/shop"
	broken = "testdata/policies/broken"
)

func TestPolicyCheckForAPerson(t *testing.T) {
	// What the bpf backend can hold grows; apparmor and selinux are tables.
	valid := karmor(t, "policy", "check", "-f", shop, "--backend", "apparmor,selinux")
	if valid.code != ExitOK || !strings.Contains(valid.errors, "web.yaml:30: skipped: a Service is no policy") {
		t.Errorf("exit %d: %s", valid.code, valid.errors)
	}
	golden(t, "policy-check-valid.txt", valid.out)
	invalid := karmor(t, "policy", "check", "-f", broken, "--backend", "bpf")
	if invalid.code != ExitFailed || invalid.errors != "karmor: 2 policies are invalid\n" {
		t.Errorf("exit %d: %s", invalid.code, invalid.errors)
	}
	golden(t, "policy-check-invalid.txt", invalid.out)
}

func TestPolicyCheckForAProgram(t *testing.T) {
	got := karmor(t, "policy", "check", "-f", broken, "-f", shop+"/web.yaml", "--backend", "apparmor", "-o", "json")
	if got.code != ExitFailed {
		t.Errorf("exit %d", got.code)
	}
	golden(t, "policy-check.json", got.out)
	decoder := json.NewDecoder(strings.NewReader(got.out))
	decoder.DisallowUnknownFields()
	var all []checked
	if err := decoder.Decode(&all); err != nil || len(all) != 5 {
		t.Errorf("%d results: %v", len(all), err)
	}
}

func TestPolicyEval(t *testing.T) {
	web := []string{"--namespace", "shop", "--labels", "app=web", "--posture", "file=block"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a rule": {
			append(web, "--op", "exec", "--path", "/bin/sh"),
			`{"verdict":"Block","policy":"web","rule":"spec.process.matchPaths[0]","reason":"the exact path rule ` +
				`spec.process.matchPaths[0] of KubeArmorPolicy shop/web denies it"}` + "\n",
		},
		"arguments after two dashes": {
			append(web, "--op", "exec", "--path", "/usr/bin/git", "--", "pull"),
			`{"verdict":"Allow","policy":"web","rule":"spec.process.matchPaths[1]","reason":"the exact path rule ` +
				`spec.process.matchPaths[1] of KubeArmorPolicy shop/web allows these arguments (allowedArgs)"}` + "\n",
		},
		"arguments of a flag": {
			append(web, "--op", "exec", "--path", "/usr/bin/git", "--args", "pull,--force"),
			`{"verdict":"Block","policy":"DefaultPosture","rule":"","reason":"the exact path rule spec.process.matchPaths[1] of ` +
				`KubeArmorPolicy shop/web allows only these arguments (allowedArgs), and process is an allow-list with the posture block"}` + "\n",
		},
		"a symlink of the root": {
			append(web, "--op", "exec", "--path", "/usr/bin/sh", "--root", shop+"/rootfs"),
			`{"verdict":"Block","policy":"web","rule":"spec.process.matchPaths[0]","reason":"the exact path rule ` +
				`spec.process.matchPaths[0] of KubeArmorPolicy shop/web denies it"}` + "\n",
		},
		"every policy of the files, where nobody says for whom": {
			[]string{"--op", "exec", "--path", "/bin/sh"},
			`{"verdict":"Block","policy":"web","rule":"spec.process.matchPaths[0]","reason":"the exact path rule ` +
				`spec.process.matchPaths[0] of KubeArmorPolicy shop/web denies it"}` + "\n",
		},
		"not the policy for other labels": {
			[]string{"--labels", "app=db", "--op", "exec", "--path", "/bin/sh"},
			`{"verdict":"Allow","policy":"","rule":"","reason":"no rule matches it, and no Allow rule makes its domain an allow-list"}` + "\n",
		},
		"a workload that nothing selects": {
			[]string{"--host", "--op", "write", "--path", "/a"},
			`{"verdict":"Allow","policy":"","rule":"","reason":"no policy selects the workload"}` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := karmor(t, append([]string{"policy", "eval", "-f", shop, "-o", "json"}, c.args...)...)
			if diff := cmp.Diff(c.want, got.out); diff != "" || got.code != ExitOK {
				t.Errorf("exit %d, %s (-want +got):\n%s", got.code, got.errors, diff)
			}
		})
	}
	got := karmor(t, append([]string{"policy", "eval", "-f", shop, "--op", "exec", "--path", "/bin/sh"}, web...)...)
	golden(t, "policy-eval.txt", got.out)
}

func TestPolicyEvalRefusesInvalidPolicies(t *testing.T) {
	got := karmor(t, "policy", "eval", "-f", broken, "--op", "exec", "--path", "/bin/sh")
	if got.code != ExitFailed || got.out != "" || !strings.Contains(got.errors, "broken.yaml:6: spec.severity: ") {
		t.Errorf("%+v", got)
	}
}

func TestPolicyTestForAPerson(t *testing.T) {
	got := karmor(t, "policy", "test", shop)
	if got.code != ExitFailed || got.errors != "karmor: 2 cases failed\n" {
		t.Errorf("exit %d: %s", got.code, got.errors)
	}
	golden(t, "policy-test.txt", got.out)
	golden(t, "policy-test-verbose.txt", karmor(t, "policy", "test", "-v", shop).out)
}

func TestPolicyTestForAProgram(t *testing.T) {
	golden(t, "policy-test.json", karmor(t, "policy", "test", shop, "-o", "json").out)
	junit := karmor(t, "policy", "test", shop, "-o", "junit").out
	golden(t, "policy-test.xml", junit)
	var report junitSuites
	if err := xml.Unmarshal([]byte(junit), &report); err != nil || report.Suites[0].Failures != 2 {
		t.Errorf("%+v: %v", report, err)
	}
}

// TestPolicyTestWithoutPoliciesTakesThoseOfItsFolder also shows a run in which all is well.
func TestPolicyTestWithoutPoliciesTakesThoseOfItsFolder(t *testing.T) {
	dir := t.TempDir()
	text := "apiVersion: karmor.kubearmor.com/v1\nkind: PolicyTest\nworkload: {namespace: shop, labels: {app: web}}\n" +
		"cases: [{name: a, op: exec, path: /bin/sh, expect: Block}]\n"
	web, err := os.ReadFile(filepath.Join(shop, "web.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"test.yaml": []byte(text), "web.yml": web, "notes.txt": []byte("kind: [")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := karmor(t, "policy", "test", dir); got.code != ExitOK || got.out != "1 case: 1 passed, 0 failed\n" || got.errors != "" {
		t.Errorf("%+v", got)
	}
}

func TestPolicyFromStandardInput(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(broken, "broken.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := Run(t.Context(), "v0", Streams{In: bytes.NewReader(text), Out: &out, Err: &errs}, []string{"policy", "check", "-f", "-"})
	if code != ExitFailed || !strings.Contains(out.String(), "standard input:6: spec.severity: ") {
		t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
	}
}

func TestPolicyMistakesAreTold(t *testing.T) {
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args string
		code int
		says string
	}{
		"check without files":       {"check", ExitUsage, "policy check: no policies; name a file or a folder with -f"},
		"check with an argument":    {"check p.yaml", ExitUsage, `unknown argument or command "p.yaml"`},
		"an unknown format":         {"check -f . -o yaml", ExitUsage, `--output "yaml" is not one of text, json`},
		"an unknown backend":        {"check -f . --backend lsm", ExitUsage, `--backend "lsm" is not one of bpf, apparmor, selinux`},
		"a file that is not there":  {"check -f nowhere.yaml", ExitFailed, "nowhere.yaml: there is no such file or folder"},
		"a folder without policies": {"check -f " + empty, ExitFailed, empty + ": holds no policy; name a file or a folder with a KubeArmorPolicy"},
		"eval without files":        {"eval --op exec", ExitUsage, "policy eval: no policies"},
		"eval without an operation": {"eval -f .", ExitUsage, "no operation; name one with --op: exec, read"},
		"an unknown operation":      {"eval -f . --op open", ExitUsage, `--op "open" is not one of exec, read`},
		"no path":                   {"eval -f . --op exec", ExitUsage, "--path is missing; exec needs"},
		"no second path":            {"eval -f . --op link --path /a", ExitUsage, "--new-path is missing; link needs"},
		"an unknown protocol":       {"eval -f . --op bind --protocol quic", ExitUsage, `--protocol "quic" is not one of tcp, udp`},
		"an unknown posture":        {"eval -f . --op read --path /a --posture file=deny", ExitUsage, `--posture file: "deny" is not one of block, audit, allow`},
		"a posture without a value": {"eval -f . --op read --path /a --posture file", ExitUsage, `--posture: "file" is not key=value`},
		"a label twice":             {"eval -f . --op read --path /a --labels a=b,a=c", ExitUsage, "--labels: a is there twice"},
		"a container of the host":   {"eval -f . --op read --path /a --host --container c", ExitUsage, "--container has no meaning for the host"},
		"arguments without dashes":  {"eval -f . --op exec --path /a pull", ExitUsage, `unknown argument "pull"; arguments of the program come after --`},
		"a root that is not there":  {"eval -f " + shop + " --op read --path /a --root /nowhere", ExitFailed, "--root /nowhere"},
		"test without a folder":     {"test", ExitUsage, "policy test: no folder"},
		"test without cases":        {"test " + empty, ExitFailed, empty + ": holds no test cases; write a document of kind PolicyTest"},
		"test with another format":  {"test . -o tap", ExitUsage, `--output "tap" is not one of text, json, junit`},
	} {
		t.Run(name, func(t *testing.T) {
			got := karmor(t, append([]string{"policy"}, strings.Fields(c.args)...)...)
			if got.code != c.code || !strings.Contains(got.errors, c.says) {
				t.Errorf("exit %d, want %d; %q does not say %q", got.code, c.code, got.errors, c.says)
			}
		})
	}
}
