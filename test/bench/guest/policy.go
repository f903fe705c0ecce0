// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
)

// openedFile is what open/close and stat look at: 64 bytes, eight components.
const (
	openedFolder = "/usr/lib/python3/dist-packages/benchmark/data"
	openedFile   = openedFolder + "/representation.csv"
)

// policyOf makes a policy of n rules that decide none of the measured operations, and that come as close as can be: they
// share folders with openedFile, so that no lookup and no automaton ends early. Of ten rules, four name files, two
// directories of files, one is a glob over files, one each names a program, a directory of programs and a protocol.
// Only one rule can name that protocol, so from the eleventh on that one names a program by its base name.
func policyOf(name string, n int) *securityv1.KubeArmorPolicy {
	p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "bench", Name: name, Generation: 1}}
	parent := securityv1.AbsoluteDirectory(path.Dir(openedFolder) + "/")
	file, process := &p.Spec.File, &p.Spec.Process
	for i := range n {
		id := fmt.Sprintf("%s-%05d", name, i)
		switch i % 10 {
		case 0, 1, 2:
			file.MatchPaths = append(file.MatchPaths, securityv1.FilePath{Path: securityv1.AbsolutePath(openedFolder + "/" + id)})
		case 3:
			file.MatchPaths = append(file.MatchPaths, securityv1.FilePath{Path: securityv1.AbsolutePath("/etc/" + id), ReadOnly: true})
		case 4:
			file.MatchDirectories = append(file.MatchDirectories, securityv1.FileDirectory{Directory: parent + securityv1.AbsoluteDirectory(id+"/")})
		case 5:
			file.MatchDirectories = append(file.MatchDirectories, securityv1.FileDirectory{Directory: securityv1.AbsoluteDirectory("/var/lib/" + id + "/"), Recursive: true})
		case 6:
			file.MatchPatterns = append(file.MatchPatterns, securityv1.FilePattern{Pattern: securityv1.Glob("/usr/lib/python3/*/benchmark/data/*-" + id + ".csv")})
		case 7:
			process.MatchPaths = append(process.MatchPaths, securityv1.ProcessPath{Path: securityv1.AbsolutePath("/bin/" + id)})
		case 8:
			process.MatchDirectories = append(process.MatchDirectories, securityv1.ProcessDirectory{Directory: securityv1.AbsoluteDirectory("/opt/" + id + "/"), Recursive: true})
		default:
			if i < 10 {
				p.Spec.Network.MatchProtocols = append(p.Spec.Network.MatchProtocols, securityv1.NetworkProtocol{Protocol: "icmp"})
				continue
			}
			process.MatchPaths = append(process.MatchPaths, securityv1.ProcessPath{ExecName: id})
		}
	}
	return p
}

// compiled is what the core of this build can hold.
func compiled(workloads []compile.Workload) compile.Output {
	return compile.Compile(workloads, enforcer.Abilities())
}

// workload is a cgroup with one policy of n rules.
func workload(cgroup compile.Cgroup, name string, n int) compile.Workload {
	parsed := parse.KubeArmorPolicy(policyOf(name, n))
	return compile.Workload{Cgroup: cgroup, Selections: []compile.Selection{{Policy: &parsed}}}
}

// inForce says what became of the policies with this name.
func inForce(out compile.Output, name, setting string) report.PolicyInForce {
	var p report.PolicyInForce
	for _, r := range out.Policies {
		if r.Ref.Name != name {
			continue
		}
		p = report.PolicyInForce{Setting: setting, InForce: r.InForce, Rules: r.InForce}
		left := map[string]bool{}
		for _, u := range r.Unsupported {
			if p.Left == nil {
				p.Left = map[string]int{}
			}
			p.Left[string(u.Reason)]++
			left[u.Rule] = true
		}
		p.Rules += len(left)
	}
	return p
}
