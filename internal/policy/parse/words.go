// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Protocols are the words of matchProtocols.
func Protocols() []string {
	return []string{
		"tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "raw", "packet",
		"stream", "dgram", "rdm", "seqpacket", "all",
	}
}

// Capabilities of the kernel by number, without CAP_ and in lower case.
func Capabilities() []string {
	return []string{
		"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
		"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
		"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
		"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
		"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
		"checkpoint_restore",
	}
}

func checkProtocol(word string) error {
	if slices.Contains(Protocols(), word) {
		return nil
	}
	return fmt.Errorf("is unknown; use one of %s (any case)", strings.Join(Protocols(), ", "))
}

func checkCapability(word string) error {
	if slices.Contains(Capabilities(), word) {
		return nil
	}
	if bare := strings.TrimPrefix(strings.ToLower(word), "cap_"); slices.Contains(Capabilities(), bare) {
		return fmt.Errorf("is written otherwise here: %s", bare)
	}
	return errors.New("is unknown; use a name of capabilities(7) in lower case and without CAP_, for instance net_raw")
}

func checkPreset(name securityv1.PresetName) error {
	switch name {
	case securityv1.PresetProtectEnv, securityv1.PresetFilelessExec, securityv1.PresetExec, securityv1.PresetProtectProc,
		securityv1.PresetAnonymousMapExec:
		return nil
	default:
		return errors.New("is unknown; use protectEnv, filelessExec, exec, protectProc or anonymousMapExec")
	}
}

// Bounds of the DNS on names, in bytes.
const (
	labelMax  = 63
	domainMax = 253
)

// DNSName is a name as rules have it: in lower case and without the closing dot; or "*." and the name that all those
// are below. The error says why nobody can look it up.
func DNSName(name string) (string, error) {
	clean := policy.DomainName(name)
	if len(clean) > domainMax {
		return "", fmt.Errorf("is longer than %d bytes, the longest name of the DNS", domainMax)
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(clean, "*."), ".") {
		switch {
		case label == "":
			return "", errors.New("has an empty label; write a name such as example.com")
		case len(label) > labelMax:
			return "", fmt.Errorf("has a label of %d bytes, and the longest of the DNS has %d", len(label), labelMax)
		case strings.Contains(label, "*"):
			return "", errors.New(`has a "*" elsewhere than as its whole first label; write *.example.com for every name below example.com`)
		case strings.ContainsFunc(label, func(c rune) bool { return c <= ' ' || c == '/' || c == ':' || c == 0x7f }):
			return "", errors.New("is no domain; write a name such as example.com, without scheme, port or path")
		}
	}
	return clean, nil
}
