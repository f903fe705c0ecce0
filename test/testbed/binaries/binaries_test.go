// SPDX-License-Identifier: Apache-2.0

package binaries

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSelectionsBuildNoMoreThanTheyNeed(t *testing.T) {
	for selection, want := range map[Selection][]string{
		EnvTest:   {"etcd", "kube-apiserver, kubectl"},
		HostFleet: {"etcd", "kube-apiserver, kubectl, kube-controller-manager, kube-scheduler, kubelet"},
		All:       {"etcd", "kube-apiserver, kubectl, kube-controller-manager, kube-scheduler, kubelet", "kubelet"},
	} {
		list, err := selection.programs()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, batch := range batches(list) {
			got = append(got, names(batch))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: batches (-want +got):\n%s", selection, diff)
		}
	}
}

func TestTheThirdBatchIsForTheOtherArchitecture(t *testing.T) {
	list, err := All.programs()
	if err != nil {
		t.Fatal(err)
	}
	if last := list[len(list)-1]; last.arch == runtime.GOARCH {
		t.Errorf("%s is built for %s twice", last.name, last.arch)
	}
}

func TestAnUnknownSelectionNamesTheKnownOnes(t *testing.T) {
	if _, err := Selection("some").programs(); err == nil || !strings.Contains(err.Error(), "envtest, host or all") {
		t.Errorf("error %v does not name the selections", err)
	}
}

func TestTheLinkerStampsTheVersion(t *testing.T) {
	for _, want := range []string{"version.gitVersion=" + Version, "version.gitMajor=1 ", "version.gitMinor=37 "} {
		if !strings.Contains(ldflags(), want) {
			t.Errorf("ldflags lack %q: %s", want, ldflags())
		}
	}
}
