// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Node is where alerts come from.
type Node struct {
	Cluster, Name, ID, Version string
	// Observing says that nothing is denied on this node.
	Observing bool
}

// Workload is what an event happened in. The zero Workload is one that is not known any more.
type Workload struct {
	// Host: no container, the node itself.
	Host                   bool
	Namespace, Pod         string
	Container, ContainerID string
	Image                  string
	Labels                 map[string]string
	Owner                  *Owner
}

// Time as UpdatedTime has it: RFC 3339 with microseconds, in UTC.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// New makes the alert of an event. rule is nil where the event's rule is not known.
func New(node Node, e enforcer.Event, w Workload, rule *compile.RuleInfo) *Alert {
	a := &Alert{
		Timestamp: e.Time.Unix(), UpdatedTime: Time(e.Time),
		ClusterName: node.Cluster, HostName: node.Name, NodeID: node.ID, KubeArmorVersion: node.Version,
		NamespaceName: w.Namespace, PodName: w.Pod, ContainerName: w.Container, ContainerID: w.ContainerID,
		ContainerImage: w.Image, Labels: joinLabels(w.Labels), Owner: w.Owner,
		HostPID: int32(e.HostPID), HostPPID: int32(e.HostPPID), PID: int32(e.PID), PPID: int32(e.PPID), UID: int32(e.UID),
		Type: typePolicy, Source: text(e.Source), Resource: text(e.Resource), Result: resultPassed, Enforcer: enforcerLSM,
		ExecEvent: &feeder.ExecEvent{ExecutableName: text(e.Comm)},
		EventData: map[string]string{"Rule": strconv.FormatUint(uint64(e.Rule), 16), "Comm": text(e.Comm)},
	}
	if node.Observing {
		a.Enforcer = enforcerObserve
	}
	if w.Host {
		a.Type = typeHostPolicy
	}
	setOperation(a, e)
	setVerdict(a, e, rule)
	setRule(a, e, rule)
	ends(a.EventData, e)
	unresolved(a.EventData, e)
	return a
}

// setOperation fills what differs between executing and all else: who the process is.
func setOperation(a *Alert, e enforcer.Event) {
	a.ProcessName, a.ParentProcessName = processes(e)
	a.Operation, a.Data = operationOf(e), dataOf(e)
	if e.Operation == enforcer.OperationExec {
		a.EventData["ArgsUnknown"] = argsUnknown
	}
}

// argsUnknown is why an execution's arguments are not there.
const argsUnknown = "the kernel's event carries no arguments"

// processes are the executables of the process and of its parent: of one that is being executed, who executes it.
func processes(e enforcer.Event) (process, parent string) {
	if e.Operation == enforcer.OperationExec {
		return text(e.Resource), text(e.Source)
	}
	return text(e.Source), text(e.ParentSource)
}

func operationOf(e enforcer.Event) string {
	switch {
	case e.Operation == enforcer.OperationExec, e.Domain == compile.DomainProcess:
		return operationProcess
	case e.Domain == compile.DomainNetwork, e.Domain == compile.DomainDNS:
		return operationNetwork
	case e.Domain == compile.DomainCapabilities:
		return operationCapabilities
	case e.Domain == compile.DomainSyscalls:
		return operationSyscall
	default:
		return operationFile
	}
}

// dataOf says where in the kernel the operation was seen, and how.
func dataOf(e enforcer.Event) string {
	switch e.Operation {
	case enforcer.OperationOpen:
		return "lsm=" + hookOf(e.Operation) + " flags=" + openFlags(e.Flags)
	case enforcer.OperationLookup:
		// No hook of an LSM sees names.
		return "hook=CGROUP_SKB_EGRESS"
	case enforcer.OperationSyscall:
		return "syscall=SYS_" + strings.ToUpper(e.Resource)
	default:
		return "lsm=" + hookOf(e.Operation)
	}
}

// ends says, in the data of an event, between whom a socket is, as far as that is known.
func ends(data map[string]string, e enforcer.Event) {
	for _, end := range [...]struct {
		name    string
		address netip.AddrPort
	}{{"Local", e.Local}, {"Remote", e.Remote}} {
		if end.address.IsValid() {
			data[end.name+"IP"] = end.address.Addr().String()
			data[end.name+"Port"] = strconv.Itoa(int(end.address.Port()))
		}
	}
}

// unresolved says, in the data of an event, which of its paths are not whole, and why.
func unresolved(data map[string]string, e enforcer.Event) {
	for _, path := range [...]struct{ name, cause string }{
		{"ResourceUnresolved", e.Unresolved}, {"SourceUnresolved", e.SourceUnresolved}, {"ParentUnresolved", e.ParentUnresolved},
	} {
		if path.cause != "" {
			data[path.name] = path.cause
		}
	}
}

// hookOf names the place in the kernel where an operation was judged, as clients know it.
func hookOf(operation string) string {
	word := strings.ToUpper(operation)
	switch operation {
	case enforcer.OperationExec:
		return "SECURITY_BPRM_CHECK"
	case enforcer.OperationOpen:
		return "FILE_OPEN"
	case enforcer.OperationCreate:
		return "PATH_MKNOD"
	case enforcer.OperationSetattr:
		return "INODE_SETATTR"
	case enforcer.OperationSocket:
		return "SOCKET_CREATE"
	case enforcer.OperationBind, enforcer.OperationListen, enforcer.OperationConnect, enforcer.OperationAccept, enforcer.OperationSendmsg:
		return "SOCKET_" + word
	case enforcer.OperationMmap:
		return "MMAP_FILE"
	case enforcer.OperationMprotect:
		return "FILE_MPROTECT"
	case enforcer.OperationPtrace:
		return "PTRACE_ACCESS_CHECK"
	case enforcer.OperationCapable:
		return word
	default:
		return "PATH_" + word
	}
}

func setVerdict(a *Alert, e enforcer.Event, rule *compile.RuleInfo) {
	blocks := e.Action == compile.ActionBlock || (rule != nil && rule.Action == compile.ActionBlock)
	switch {
	case e.Denied && (e.Domain == compile.DomainCapabilities || e.Domain == compile.DomainDNS):
		a.Action, a.Result = actionBlock, resultNotPermitted
	case e.Denied:
		a.Action, a.Result = actionBlock, resultDenied
	case blocks:
		a.Action = actionAuditBlock
	default:
		a.Action = actionAudit
	}
}

func setRule(a *Alert, e enforcer.Event, rule *compile.RuleInfo) {
	switch {
	case rule != nil:
		a.PolicyName, a.Message = rule.Policy.Name, text(rule.Message)
		a.Severity, a.Tags, a.ATags = strconv.Itoa(rule.Severity), strings.Join(rule.Tags, ","), rule.Tags
		if rule.Severity == 0 {
			a.Severity = ""
		}
		a.EventData["RulePath"], a.EventData["PolicyKind"] = rule.Rule, rule.Policy.Kind
		if rule.Preset != "" {
			a.Enforcer = enforcerPreset + rule.Preset
		}
	case e.Rule == enforcer.RulePosture:
		a.PolicyName = policyPosture
		a.Message = "No rule allows the operation, and the workload has Allow rules: what they do not allow gets the default posture."
	case e.Rule == enforcer.RuleUnresolved && e.Domain == compile.DomainDNS:
		a.PolicyName = policyUnresolved
		a.Message = "The query could not be read, and the workload has rules that block: what cannot be told from a query for a blocked name is blocked."
	case e.Rule == enforcer.RuleUnresolved:
		a.PolicyName = policyUnresolved
		a.Message = "The path could not be resolved, and the workload has rules that block: what cannot be told from a blocked path is blocked."
	default:
		a.PolicyName = policyUnknown
		a.Message = fmt.Sprintf("Rule %x is in no policy that this agent knows: its policy was changed or deleted since.", uint64(e.Rule))
	}
}

// text is what a message can carry, which must be UTF-8: bytes of a name that are not appear as \xNN.
func text(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var s strings.Builder
	for i, r := range name {
		if _, size := utf8.DecodeRuneInString(name[i:]); r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&s, `\x%02x`, name[i])
			continue
		}
		s.WriteRune(r)
	}
	return s.String()
}

func joinLabels(labels map[string]string) string {
	pairs := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}

// openFlags names the flags of open(2) that say what the opener wanted.
func openFlags(flags uint32) string {
	names := []string{[]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[flags&unix.O_ACCMODE]}
	for _, f := range []struct {
		bit  uint32
		name string
	}{
		{unix.O_CREAT, "O_CREAT"},
		{unix.O_EXCL, "O_EXCL"},
		{unix.O_TRUNC, "O_TRUNC"},
		{unix.O_APPEND, "O_APPEND"},
		{unix.O_DIRECTORY, "O_DIRECTORY"},
		{unix.O_NOFOLLOW, "O_NOFOLLOW"},
		{unix.O_PATH, "O_PATH"},
	} {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, "|")
}
