// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"strings"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// Profile is what a distribution asks of our Pods beyond the plain case.
type Profile string

// The profiles.
const (
	// ProfilePlain needs nothing special.
	ProfilePlain Profile = "plain"
	// ProfileSELinux: SELinux confines containers; ours need the type spc_t to see /run and /sys of the host.
	ProfileSELinux Profile = "selinux"
	// ProfileBottlerocket has SELinux types of its own; ours need super_t.
	ProfileBottlerocket Profile = "bottlerocket"
)

// profileOfFacts goes by what the probe saw.
func profileOfFacts(f *v1.NodeFacts) Profile {
	switch {
	case f.Distribution.ID == "bottlerocket":
		return ProfileBottlerocket
	case f.SELinux.State == v1.FactYes:
		return ProfileSELinux
	default:
		return ProfilePlain
	}
}

// ProfileOfImage guesses from Node.status.nodeInfo.osImage, for the probe that runs before there are facts. A container
// runtime drops SELinux options on a host without SELinux, so a guess that is too strict costs nothing.
func ProfileOfImage(osImage string) Profile {
	name := strings.ToLower(osImage)
	if strings.HasPrefix(name, "bottlerocket") {
		return ProfileBottlerocket
	}
	for _, family := range []string{"red hat", "rhel", "centos", "rocky", "alma", "oracle linux", "fedora", "amazon linux"} {
		if strings.HasPrefix(name, family) {
			return ProfileSELinux
		}
	}
	return ProfilePlain
}
