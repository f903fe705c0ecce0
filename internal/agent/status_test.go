// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestWhatTheKernelCannotSeeIsSaid(t *testing.T) {
	f := facet{state: state{open: true, generation: 3}}
	for _, missing := range [][]string{nil, {"lsm/file_truncate"}} {
		f.stats.Missing = missing
		if c := f.enforcing(); strings.Contains(c.Message, "lacks") {
			t.Errorf("on a kernel without %v: %s", missing, c.Message)
		}
	}
	f.stats.Missing = []string{"lsm/path_rename", "lsm/path_unlink"}
	if c := f.enforcing(); c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "this kernel lacks lsm/path_rename, lsm/path_unlink") {
		t.Errorf("condition = %+v", c)
	}
}

func TestNoStatusOfAPolicyIsKept(t *testing.T) {
	status := securityv1.PolicyStatus{Pods: 3}
	for _, object := range []any{
		&securityv1.KubeArmorPolicy{Status: status}, &securityv1.KubeArmorClusterPolicy{Status: status}, &securityv1.KubeArmorHostPolicy{Status: status},
	} {
		if stripped, err := strip(object); err != nil || strings.Contains(fmt.Sprintf("%+v", stripped), "Pods:3") {
			t.Errorf("%T: %+v, %v", object, stripped, err)
		}
	}
}

func TestPoliciesAreNotCalledAppliedWhileContainersAreUnknown(t *testing.T) {
	held := []operatorv1.NodePolicy{{Kind: policy.KindPolicy, Name: "p", State: operatorv1.PolicyEnforced}}
	for name, tt := range map[string]struct {
		problem error
		want    string
	}{
		"all are known": {nil, "True AsExpected"},
		"one runs in a cgroup that was not found": {&containers.CgroupNotFoundError{Container: "c"}, "False CgroupNotFound"},
		"the runtime does not answer":             {errors.New("no answer"), "Unknown RuntimeUnknown"},
	} {
		t.Run(name, func(t *testing.T) {
			c := facet{state: state{open: true, settled: true, generation: 3}, runtime: tt.problem}.policiesApplied(held)
			if got := string(c.Status) + " " + c.Reason; got != tt.want {
				t.Errorf("PoliciesApplied is %s (%s), want %s", got, c.Message, tt.want)
			}
		})
	}
}
