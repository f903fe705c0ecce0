// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// socket plans what is done with a socket.
func (p *planner) socket(a *attempt, variant string) error {
	op := a.op
	if variant == "pair" && op.Family != unix.AF_UNIX {
		return impossible("only unix sockets come in pairs")
	}
	if variant != "socket" && variant != "pair" && !slices.Contains([]int{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_PACKET, unix.AF_NETLINK}, op.Family) {
		return impossible("it has no address here")
	}
	a.Act, a.Args = variant, []string{fmt.Sprint(op.Family), fmt.Sprint(op.Type), fmt.Sprint(op.Protocol)}
	first := a.simple(model.Socket, sensor.OperationSocket, "")
	a.add(first)
	if variant == "pair" {
		a.add(first)
	}
	// What the kernel has made of the numbers.
	made := op
	switch {
	case op.Family == unix.AF_UNIX && op.Type == unix.SOCK_RAW:
		made.Type = unix.SOCK_DGRAM
	case op.Family != unix.AF_INET && op.Family != unix.AF_INET6:
	case op.Type == unix.SOCK_STREAM && op.Protocol == 0:
		made.Protocol = unix.IPPROTO_TCP
	case op.Type == unix.SOCK_DGRAM && op.Protocol == 0:
		made.Protocol = unix.IPPROTO_UDP
	}
	steps := map[string][]model.Kind{
		"bind": {model.Bind}, "listen": {model.Bind, model.Listen}, "accept": {model.Bind, model.Listen, model.Accept},
		"connect": {model.Connect}, "sendmsg": {model.Sendmsg},
	}
	for _, kind := range steps[variant] {
		next := first
		next.op, next.op.Kind, next.operation = made, kind, string(kind)
		a.add(next)
	}
	return nil
}

// lookUp plans a query over UDP.
func (p *planner) lookUp(a *attempt, variant string) {
	a.Act, a.Args = "dns", []string{variant, a.op.Name}
	socket := a.simple(model.Socket, sensor.OperationSocket, "")
	socket.op.Family, socket.op.Type, socket.op.Protocol = unix.AF_INET, unix.SOCK_DGRAM, 0
	if strings.HasSuffix(variant, "6") {
		socket.op.Family = unix.AF_INET6
	}
	sent := socket
	sent.op.Kind, sent.op.Protocol, sent.operation = model.Sendmsg, unix.IPPROTO_UDP, sensor.OperationSendmsg
	a.add(socket)
	if strings.HasPrefix(variant, "connected") {
		connected := sent
		connected.op.Kind, connected.operation = model.Connect, sensor.OperationConnect
		a.add(connected)
	}
	query := a.simple(model.DNS, sensor.OperationLookup, "")
	query.errno, query.blind = unix.EPERM, true
	a.add(sent, query)
}

// use of a capability: what it needs, and what it ends with where it is refused.
type use struct {
	words []string
	what  what
	owner uint32
	errno syscall.Errno
}

// uses by the name of the capability. Of a file, its path is the first word.
func uses() map[string]use {
	const file = "/.diffvm-object"
	return map[string]use{
		"chown":            {[]string{file}, program, 0, unix.EPERM},
		"fowner":           {[]string{file}, program, 1, unix.EPERM},
		"mknod":            {[]string{file}, nothing, 0, unix.EPERM},
		"lease":            {[]string{file}, program, 1, unix.EACCES},
		"sys_chroot":       {nil, 0, 0, unix.EPERM},
		"sys_nice":         {nil, 0, 0, unix.EACCES},
		"net_raw":          {[]string{"2", "3", "1"}, 0, 0, unix.EPERM},
		"net_admin":        {[]string{"2", "2", "0"}, 0, 0, unix.EACCES},
		"net_bind_service": {[]string{"2", "2", "0"}, 0, 0, unix.EACCES},
		"sys_admin":        {nil, 0, 0, unix.EPERM},
		"setgid":           {nil, 0, 0, unix.EPERM},
		"setuid":           {nil, 0, 0, unix.EPERM},
		"setpcap":          {nil, 0, 0, unix.EPERM},
		"sys_boot":         {nil, 0, 0, unix.EPERM},
		"sys_pacct":        {nil, 0, 0, unix.EPERM},
		"sys_resource":     {nil, 0, 0, unix.EPERM},
		"wake_alarm":       {nil, 0, 0, unix.EPERM},
		"sys_module":       {nil, 0, 0, unix.EPERM},
		"dac_override":     {[]string{file}, locked, 1, unix.EACCES},
	}
}

// capable plans what needs one capability, with or without having it.
func (p *planner) capable(a *attempt, variant string) error {
	u, found := uses()[a.op.Capability]
	if !found {
		return impossible("nothing is known that needs this capability and no other")
	}
	a.UID, a.Act, a.Args = 0, "cap_"+a.op.Capability, u.words
	if len(u.words) == 1 {
		a.places = []place{{path: u.words[0], what: u.what, owner: u.owner}}
	}
	if variant == "without" {
		number, _ := table.CapabilityNumber(a.op.Capability)
		a.Drop = int(number)
	}
	h := a.simple(model.Capable, sensor.OperationCapable, "CAP_"+strings.ToUpper(a.op.Capability))
	h.errno = u.errno
	a.add(h)
	return nil
}
