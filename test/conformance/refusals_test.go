// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// refusal is a spec that the API server must refuse.
type refusal struct {
	name string
	kind string
	// spec in YAML, on top of what the kind requires.
	spec string
	// want are the field and the remedy, as the user reads them.
	want []string
}

const (
	ksp  = "KubeArmorPolicy"
	hsp  = "KubeArmorHostPolicy"
	csp  = "KubeArmorClusterPolicy"
	kac  = "KubeArmorConfig"
	node = "KubeArmorNode"
)

func testRefusals(t *testing.T, srv *server) {
	for _, cases := range [][]refusal{
		pathRefusals(), matchRefusals(), sectionRefusals(), auditRefusals(), selectorRefusals(), configRefusals(),
	} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.check(t, srv) })
		}
	}
}

func (c refusal) check(t *testing.T, srv *server) {
	err := srv.Create(t.Context(), object(t, c.kind, "refused", c.spec), client.DryRunAll)
	if err == nil {
		t.Fatal("accepted")
	}
	// An unknown field is a bad request, everything else is invalid.
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Fatalf("failed for another reason: %v", err)
	}
	for _, want := range c.want {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message has no %q:\n%v", want, err)
		}
	}
}

// object of a kind, in the namespace default where it has one.
func object(t *testing.T, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetName(name)
	u.SetKind(kind)
	u.SetAPIVersion("security.kubearmor.com/v1")
	if kind == kac || kind == node {
		u.SetAPIVersion("operator.kubearmor.com/v1")
	}
	if kind == ksp || kind == kac {
		u.SetNamespace("default")
	}
	content := fromYAML(t, "the case's own spec", []byte(spec))
	if _, set := content["nodeSelector"]; kind == hsp && !set {
		content["nodeSelector"] = map[string]any{"matchLabels": map[string]any{"kubernetes.io/os": "linux"}}
	}
	u.Object["spec"] = content
	return u
}

func pathRefusals() []refusal {
	return []refusal{
		{
			"a path without a leading slash", ksp, `process: {matchPaths: [{path: usr/bin/curl}]}`,
			[]string{"spec.process.matchPaths[0].path", `a path must start with "/"; write it as the container sees it`},
		},
		{
			"a path with a slash at its end", ksp, `file: {matchPaths: [{path: /etc/shadow}, {path: /etc/}]}`,
			[]string{"spec.file.matchPaths[1].path", `a path must not end in "/"; use matchDirectories for a directory`},
		},
		{
			"an empty path", ksp, `file: {matchPaths: [{path: ""}]}`,
			[]string{"spec.file.matchPaths[0].path", "should be at least 1 chars long"},
		},
		{
			"a path longer than PATH_MAX", ksp, `file: {matchPaths: [{path: /` + strings.Repeat("a", 4096) + `}]}`,
			[]string{"spec.file.matchPaths[0].path", "may not be more than 4096"},
		},
		{
			"a directory without a trailing slash", hsp, `file: {matchDirectories: [{dir: /etc}]}`,
			[]string{"spec.file.matchDirectories[0].dir", `a directory must end in "/"; use matchPaths for a file`},
		},
		{
			"a directory without a leading slash", csp, `process: {matchDirectories: [{dir: etc/}]}`,
			[]string{"spec.process.matchDirectories[0].dir", `a directory must start with "/"`},
		},
	}
}

func matchRefusals() []refusal {
	return []refusal{
		{
			"a source that is no path", ksp, `process: {matchPaths: [{path: /a, fromSource: [{path: bash}]}]}`,
			[]string{"spec.process.matchPaths[0].fromSource[0].path", `a path must start with "/"`},
		},
		{
			"both path and execname", ksp, `process: {matchPaths: [{path: /bin/a, execname: a}]}`,
			[]string{"spec.process.matchPaths[0]", "set exactly one of path (the whole path) and execname"},
		},
		{
			"neither path nor execname", ksp, `process: {matchPaths: [{ownerOnly: true}]}`,
			[]string{"spec.process.matchPaths[0]", "set exactly one of path (the whole path) and execname"},
		},
		{
			"an execname that is a path", ksp, `process: {matchPaths: [{execname: bin/a}]}`,
			[]string{"spec.process.matchPaths[0].execname", "execname is a base name such as curl; use path"},
		},
		{
			"21 arguments", ksp, `process: {matchPaths: [{path: /a, allowedArgs: [` + strings.Repeat("x,", 20) + `x]}]}`,
			[]string{"spec.process.matchPaths[0].allowedArgs", "must have at most 20 items"},
		},
		{
			"a glob with an open set", ksp, `file: {matchPatterns: [{pattern: "/etc/[a"}]}`,
			[]string{"spec.file.matchPatterns[0].pattern", "should match"},
		},
		{
			"a glob with a set of nothing", ksp, `file: {matchPatterns: [{pattern: "/etc/[^]"}]}`,
			[]string{"spec.file.matchPatterns[0].pattern", "should match"},
		},
		{
			"a glob with an open brace", ksp, `file: {matchPatterns: [{pattern: "/etc/{a,b"}]}`,
			[]string{"spec.file.matchPatterns[0].pattern", "should match"},
		},
		{
			"a glob that no absolute path can match", ksp, `process: {matchPatterns: [{pattern: "*.sh"}]}`,
			[]string{"spec.process.matchPatterns[0].pattern", `a pattern must start with "/", "**" or "{"`},
		},
	}
}

func sectionRefusals() []refusal {
	return []refusal{
		{
			"an unknown action", ksp, `action: Deny`,
			[]string{"spec.action", `supported values: "Allow", "Audit", "Block"`},
		},
		{
			"a severity above 10", ksp, `file: {severity: 11}`,
			[]string{"spec.file.severity", "less than or equal to 10"},
		},
		{
			"a severity of 0", ksp, `severity: 0`,
			[]string{"spec.severity", "greater than or equal to 1"},
		},
		{
			"an unknown protocol", ksp, `network: {matchProtocols: [{protocol: quic}]}`,
			[]string{"spec.network.matchProtocols[0].protocol", "unknown protocol; use one of tcp, udp, raw, icmp"},
		},
		{
			"a URL for a domain", ksp, `network: {matchDNSQueries: [{domain: "https://example.com"}]}`,
			[]string{"spec.network.matchDNSQueries[0].domain", "a domain is a name such as example.com, without scheme"},
		},
		{
			"an unknown capability", ksp, `capabilities: {matchCapabilities: [{capability: net_magic}]}`,
			[]string{"spec.capabilities.matchCapabilities[0].capability", "unknown capability; use a name of capabilities(7)"},
		},
		{
			"a capability in the kernel's spelling", hsp, `capabilities: {matchCapabilities: [{capability: CAP_NET_RAW}]}`,
			[]string{"spec.capabilities.matchCapabilities[0].capability", "in lower case and without CAP_, for instance net_raw"},
		},
	}
}

func auditRefusals() []refusal {
	return []refusal{
		{
			"a blocked syscall", ksp, `syscalls: {matchSyscalls: [{syscall: [unlink], action: Block}]}`,
			[]string{"spec.syscalls.matchSyscalls[0].action", "syscalls can only be audited; leave action out here or set it to Audit"},
		},
		{
			"a section of blocked syscalls", ksp, `syscalls: {action: Block, matchPaths: [{path: /etc/}]}`,
			[]string{"spec.syscalls.action", "syscalls can only be audited"},
		},
		{
			"a syscall's source with path and dir", ksp,
			`syscalls: {matchSyscalls: [{syscall: [unlink], fromSource: [{path: /a, dir: /b/}]}]}`,
			[]string{"spec.syscalls.matchSyscalls[0].fromSource[0]", "set exactly one of path (an executable) and dir"},
		},
		{
			"an unknown preset", ksp, `presets: [{name: protectAll}]`,
			[]string{"spec.presets[0].name", `supported values: "protectEnv", "filelessExec"`},
		},
		{
			"an unknown section", ksp, `processes: {}`,
			[]string{`unknown field "spec.processes"`},
		},
		{
			"presets in a host policy", hsp, `presets: [{name: exec}]`,
			[]string{`unknown field "spec.presets"`},
		},
		{
			"a USB subclass of more than a byte", hsp, `device: {matchDevice: [{class: MASS-STORAGE, subClass: 256}]}`,
			[]string{"spec.device.matchDevice[0].subClass", "less than or equal to 255"},
		},
	}
}

func selectorRefusals() []refusal {
	return []refusal{
		{
			"a host policy without a node selector", hsp, `nodeSelector: null`,
			[]string{"spec.nodeSelector", "Required value"},
		},
		{
			"a host policy that names no label", hsp, `nodeSelector: {matchLabels: {}}`,
			[]string{"spec.nodeSelector.matchLabels", "must name at least one label of the nodes"},
		},
		{
			"an unknown operator", csp, `selector: {matchExpressions: [{key: namespace, operator: Exists, values: [a]}]}`,
			[]string{"spec.selector.matchExpressions[0].operator", `supported values: "In", "NotIn"`},
		},
		{
			"an unknown key", csp, `selector: {matchExpressions: [{key: pod, operator: In, values: [a]}]}`,
			[]string{"spec.selector.matchExpressions[0].key", `supported values: "namespace", "label"`},
		},
		{
			"a namespace as key of a namespaced policy", ksp, `selector: {matchExpressions: [{key: namespace, operator: In, values: [a]}]}`,
			[]string{"spec.selector.matchExpressions[0].key", `supported values: "label"`},
		},
		{
			"a label without a value", ksp, `selector: {matchExpressions: [{key: label, operator: In, values: [app]}]}`,
			[]string{"spec.selector.matchExpressions[0].values", "values of the key label are written key=value, for instance app=nginx"},
		},
		{
			"a cluster label without a value", csp, `selector: {matchExpressions: [{key: label, operator: In, values: [app]}]}`,
			[]string{"spec.selector.matchExpressions[0].values", "values of the key label are written key=value, for instance app=nginx"},
		},
		{
			"an expression without values", csp, `selector: {matchExpressions: [{key: namespace, operator: In, values: []}]}`,
			[]string{"spec.selector.matchExpressions[0].values", "should have at least 1 items"},
		},
	}
}

func configRefusals() []refusal {
	return []refusal{
		{
			"an unknown posture", kac, `defaultFilePosture: deny`,
			[]string{"spec.defaultFilePosture", `supported values: "allow", "audit", "block"`},
		},
		{
			"an unknown host posture", kac, `hostDefaultNetworkPosture: Block`,
			[]string{"spec.hostDefaultNetworkPosture", `supported values: "allow", "audit", "block"`},
		},
		{
			"an unknown visibility", kac, `defaultVisibility: process,disk`,
			[]string{"spec.defaultVisibility", "unknown visibility; write a comma-separated list of process, file"},
		},
		{
			"a negative alert limit", kac, `maxAlertPerSec: -1`,
			[]string{"spec.maxAlertPerSec", "must be between 0 and 1000000; leave it out for the default of 10"},
		},
		{
			"a negative throttle", kac, `throttleSec: -1`,
			[]string{"spec.throttleSec", "must be between 0 and 86400 seconds; leave it out for the default of 30"},
		},
		{
			"a port that does not exist", kac, `controllerPort: 70000`,
			[]string{"spec.controllerPort", "must be a port between 1 and 65535"},
		},
		{
			"an unknown pull policy", kac, `kubearmorImage: {imagePullPolicy: Sometimes}`,
			[]string{"spec.kubearmorImage.imagePullPolicy", `supported values: "Always", "IfNotPresent", "Never"`},
		},
		{
			"a name for an address", kac, `tls: {extraIpAddresses: [relay.example.com]}`,
			[]string{"spec.tls.extraIpAddresses", "such as 10.0.0.1; put names into extraDnsNames"},
		},
		{
			"a sink without a scheme", kac, `adapters: {elasticsearch: {url: "elastic:9200"}}`,
			[]string{"spec.adapters.elasticsearch.url", "url must start with http:// or https://"},
		},
		{
			"two names of one index", kac, `adapters: {elasticsearch: {alertsIndex: a, alertsIndexName: b}}`,
			[]string{"spec.adapters.elasticsearch", "two spellings of one field; keep alertsIndex"},
		},
		{
			"an unknown field of the fleet", kac, `lsm: bpf`,
			[]string{`unknown field "spec.lsm"`},
		},
		{
			"an unknown LSM for a node", node, `verdict: {enforcer: tomoyo, reason: Enforcing}`,
			[]string{"spec.verdict.enforcer", `supported values: "bpf", "apparmor", "selinux", "none"`},
		},
	}
}
