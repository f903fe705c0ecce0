// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// everyConfigField sets each field that objects of today's clusters may have.
const everyConfigField = `
defaultFilePosture: block
defaultCapabilitiesPosture: audit
defaultNetworkPosture: allow
hostDefaultFilePosture: audit
hostDefaultCapabilitiesPosture: audit
hostDefaultNetworkPosture: audit
defaultVisibility: process, file,network,capabilities,dns,ima
recommendedPolicies:
  enable: true
  matchExpressions: [{key: namespace, operator: NotIn, values: [kube-system]}]
  excludePolicy: [harden-ssh]
globalImagePullSecrets: [{name: pull}]
globalTolerations: [{operator: Exists}]
globalNodeSelector: {kubernetes.io/os: linux}
globalEnv: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
kubearmorImage: &image
  image: registry.example.com/kubearmor/kubearmor:v1
  imagePullPolicy: Always
  imagePullSecrets: [{name: pull}]
  args: [--verbose]
  env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
  nodeSelector: {pool: edge}
  tolerations: [{key: edge, operator: Equal, value: "yes", effect: NoExecute, tolerationSeconds: 60}]
kubearmorInitImage: *image
kubearmorRelayImage: *image
kubearmorControllerImage: *image
kubeRbacProxyImage: *image
tls: {enable: true, extraDnsNames: [relay.example.com], extraIpAddresses: [10.0.0.1, "2001:db8::1"]}
enableStdOutLogs: true
enableStdOutAlerts: true
enableStdOutMsgs: true
seccompEnabled: true
enableNRI: true
alertThrottling: true
maxAlertPerSec: 10
throttleSec: 30
controllerPort: 9443
dropResourceFromProcessLogs: true
matchArgs: true
adapters:
  elasticsearch:
    enabled: true
    url: https://elastic.logging.svc:9200
    alertsIndex: kubearmor-alerts
    alertsIndexName: kubearmor-alerts
    auth: {secretName: elastic, usernameKey: username, passwordKey: password, allowTlsInsecure: true, caCertSecretName: ca, caCertKey: ca.crt}
`

func testConfigAccepted(t *testing.T, srv *server) {
	for name, spec := range map[string]string{
		"every field": everyConfigField,
		"no field":    `{}`,
		"values that are empty": `{defaultVisibility: "", maxAlertPerSec: 0, kubearmorImage: {image: "", imagePullPolicy: ""},
			adapters: {elasticsearch: {url: ""}}}`,
	} {
		written := object(t, kac, "accepted", spec)
		want := written.DeepCopy()
		if err := srv.Create(t.Context(), written, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want.Object["spec"], written.Object["spec"]); diff != "" {
			t.Errorf("%s: the server changed it (-written +stored):\n%s", name, diff)
		}
		raw, err := want.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		got := roundTrip(t, name, raw, &operatorv1.KubeArmorConfig{})
		if diff := cmp.Diff(meaningful(want.Object), meaningful(got)); diff != "" && name == "every field" {
			t.Errorf("the Go type loses or changes (-written +read):\n%s", diff)
		}
	}
}

// testUnusual guards against a validation that goes too far.
func testUnusual(t *testing.T, srv *server) {
	deep := "/" + strings.Repeat("d/", 1000)
	for name, c := range map[string]struct{ kind, spec string }{
		"no rule at all":              {ksp, `{}`},
		"the root directory":          {ksp, `file: {matchDirectories: [{dir: /, recursive: true}]}`},
		"a path of 1,000 directories": {ksp, `file: {matchPaths: [{path: ` + deep + `f}]}`},
		"a directory of 2,000 bytes":  {ksp, `file: {matchDirectories: [{dir: ` + deep + `}]}`},
		"a path that is not ASCII":    {ksp, `file: {matchPaths: [{path: "/größe/日本 語"}]}`},
		"globs of every sort": {ksp, `file: {matchPatterns: [{pattern: "/**"}, {pattern: "/a/*/b?[a-c][^d]{e,f{g,h}}"},
			{pattern: "{/a,/b}/**"}, {pattern: "**/id_rsa"}, {pattern: '/a\[b\*'}]}`},
		"protocols in any case":          {ksp, `network: {matchProtocols: [{protocol: TCP}, {protocol: Icmpv6}, {protocol: all}]}`},
		"rules without a source":         {hsp, `{network: {matchProtocols: [{protocol: tcp}]}, capabilities: {matchCapabilities: [{capability: sys_admin}]}}`},
		"terminals refused":              {ksp, `process: {matchDirectories: [{dir: /bin/, pts: false}]}`},
		"syscalls under spec Block":      {ksp, `{action: Block, syscalls: {matchSyscalls: [{syscall: [unlink], fromSource: [{dir: /a/, recursive: true}]}], matchPaths: [{path: /etc/, recursive: true}]}}`},
		"devices by name and number":     {hsp, `device: {matchDevice: [{class: MASS-STORAGE, subClass: 6, protocol: 80, level: 1, action: Block}, {class: 8}]}`},
		"every preset":                   {csp, `presets: [{name: protectEnv}, {name: filelessExec, action: Audit}, {name: exec}, {name: protectProc}, {name: anonymousMapExec}]`},
		"container names, one or more":   {ksp, `selector: {matchLabels: {kubearmor.io/container.name: "[app,sidecar]"}}`},
		"every capability of the kernel": {ksp, `capabilities: {matchCapabilities: [` + everyCapability() + `]}`},
	} {
		if err := srv.Create(t.Context(), object(t, c.kind, "unusual", c.spec), client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// testOlderStatus: what an older version wrote must not stand in the way of the user's next change.
func testOlderStatus(t *testing.T, srv *server) {
	for _, kind := range []string{ksp, csp, hsp} {
		policy := object(t, kind, "older", `severity: 1`)
		if err := srv.Create(t.Context(), policy); err != nil {
			t.Fatal(err)
		}
		policy.Object["status"] = map[string]any{"observedGeneration": int64(1)}
		if err := srv.Status().Update(t.Context(), policy); err != nil {
			t.Errorf("%s: a status without counts: %v", kind, err)
		}
		policy.Object["spec"].(map[string]any)["severity"] = int64(2)
		if err := srv.Update(t.Context(), policy); err != nil {
			t.Errorf("%s: a change of the spec below such a status: %v", kind, err)
		}
	}
}

// everyCapability in the order of <linux/capability.h>, 0 to CAP_LAST_CAP.
func everyCapability() string {
	names := strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
		net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace
		sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control
		setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)
	items := make([]string, 0, len(names))
	for _, name := range names {
		items = append(items, "{capability: "+name+"}")
	}
	return strings.Join(items, ", ")
}

// testCapacity writes big policies for real: the API server bounds the cost of our validation rules.
func testCapacity(t *testing.T, srv *server) {
	const rules = 10_000
	big := &securityv1.KubeArmorPolicy{}
	for i := range rules {
		big.Spec.Process.MatchPaths = append(big.Spec.Process.MatchPaths, securityv1.ProcessPath{
			Report:     securityv1.Report{Severity: 5},
			Path:       securityv1.AbsolutePath(fmt.Sprintf("/usr/lib/app/%d/bin", i)),
			FromSource: []securityv1.MatchSource{{Path: "/bin/sh"}},
		})
		if i%4 == 0 {
			big.Spec.File.MatchPatterns = append(big.Spec.File.MatchPatterns, securityv1.FilePattern{
				Pattern: securityv1.Glob(fmt.Sprintf("/srv/%d/[a-c]*.conf", i)),
			})
		}
	}
	big.ObjectMeta = metav1.ObjectMeta{Namespace: "default", Name: "big"}
	if err := srv.Create(t.Context(), big); err != nil {
		t.Fatalf("a policy of %d rules: %.500v", rules, err)
	}
	got := &securityv1.KubeArmorPolicy{}
	if err := srv.Get(t.Context(), client.ObjectKeyFromObject(big), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rules, len(got.Spec.Process.MatchPaths)); diff != "" {
		t.Errorf("rules that were stored (-want +got):\n%s", diff)
	}
	big.Spec.Process.MatchPaths[rules-1].Path = "bin"
	err := srv.Update(t.Context(), big)
	if want := "spec.process.matchPaths[9999].path"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the last of %d rules is wrong, and the answer has no %q: %.500v", rules, want, err)
	}
}

func testSamples(t *testing.T, srv *server) {
	files, err := filepath.Glob(filepath.Join(projectRoot, "config/samples/*_v1_*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range documents(t, file, raw) {
			kinds = append(kinds, doc.object.GetKind())
			if ns := doc.object.GetNamespace(); ns != "" {
				srv.namespace(t.Context(), t, ns)
			}
			if err := srv.Create(t.Context(), doc.object, client.DryRunAll); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		if !strings.HasPrefix(string(raw), "# ") {
			t.Errorf("%s has no comment that says what it is for", file)
		}
	}
	if diff := cmp.Diff([]string{kac, csp, hsp, ksp}, kinds); diff != "" {
		t.Errorf("kinds with a sample (-want +got):\n%s", diff)
	}
}

// decode JSON of the server's.
func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
}
