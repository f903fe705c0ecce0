// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"testing"
)

func TestNetwork(t *testing.T) {
	tcp := []string{"network Block protocol tcp"}
	ladder := []string{
		"network Block protocol tcp from /x", "network Audit protocol stream from /x", "network Block protocol all from /x",
		"network Audit protocol tcp", "network Block protocol stream", "network Audit protocol all",
	}
	hold(t, map[string]sentence{
		"tcp over IPv4, with the protocol":         {tcp, "connect 2/1/6", "Block p 0"},
		"and without":                              {tcp, "connect 2/1/0", "Block p 0"},
		"tcp over IPv6":                            {tcp, "connect 10/1/0", "Block p 0"},
		"tcp is no unix stream":                    {tcp, "connect 1/1/0", "Allow"},
		"tcp is no other stream of IP":             {tcp, "connect 2/1/132", "Allow"},
		"multipath TCP is tcp":                     {tcp, "connect 2/1/262", "Block p 0"},
		"so it is for an Allow rule":               {[]string{"network Allow protocol tcp"}, "socket 10/1/262", "Allow p 0"},
		"SMC of its own family is tcp":             {tcp, "socket 43/1/1", "Block p 0"},
		"and that of IP":                           {tcp, "socket 2/1/256", "Block p 0"},
		"protocol 1 of SMC is no icmp":             {[]string{"network Block protocol icmp"}, "socket 43/1/1", "Allow"},
		"a raw socket of number 6 is no tcp":       {tcp, "socket 2/3/6", "Allow"},
		"UDP-Lite is udp":                          {[]string{"network Block protocol udp"}, "socket 2/2/136", "Block p 0"},
		"a raw socket of its number is not":        {[]string{"network Block protocol udp"}, "socket 2/3/136", "Allow"},
		"seqpacket over IP is sctp by itself":      {[]string{"network Block protocol sctp"}, "socket 10/5/0", "Block p 0"},
		"and not over unix sockets":                {[]string{"network Block protocol sctp"}, "socket 1/5/0", "Allow"},
		"the type of dccp needs no number":         {[]string{"network Block protocol dccp"}, "socket 2/6/0", "Block p 0"},
		"udp over IP":                              {[]string{"network Block protocol udp"}, "sendmsg 10/2/17", "Block p 0"},
		"udp is no unix datagram":                  {[]string{"network Block protocol udp"}, "sendmsg 1/2/0", "Allow"},
		"udp is no ping socket":                    {[]string{"network Block protocol udp"}, "socket 2/2/1", "Allow"},
		"icmp by raw sockets":                      {[]string{"network Block protocol icmp"}, "socket 2/3/1", "Block p 0"},
		"icmp by ping sockets":                     {[]string{"network Block protocol icmp"}, "socket 2/2/1", "Block p 0"},
		"icmpv6":                                   {[]string{"network Block protocol icmpv6"}, "socket 10/3/58", "Block p 0"},
		"protocol 1 of netlink is no icmp":         {[]string{"network Block protocol icmp"}, "socket 16/3/1", "Allow"},
		"sctp":                                     {[]string{"network Block protocol sctp"}, "socket 2/5/132", "Block p 0"},
		"dccp":                                     {[]string{"network Block protocol dccp"}, "socket 2/6/33", "Block p 0"},
		"raw sockets of IP":                        {[]string{"network Block protocol raw"}, "socket 2/3/255", "Block p 0"},
		"raw is not netlink's":                     {[]string{"network Block protocol raw"}, "socket 16/3/0", "Allow"},
		"packet sockets":                           {[]string{"network Block protocol packet"}, "socket 17/3/0", "Block p 0"},
		"packet sockets are not raw":               {[]string{"network Block protocol raw"}, "socket 17/3/0", "Allow"},
		"stream of any family":                     {[]string{"network Block protocol stream"}, "connect 1/1/0", "Block p 0"},
		"dgram of any family":                      {[]string{"network Block protocol dgram"}, "connect 16/2/0", "Block p 0"},
		"rdm":                                      {[]string{"network Block protocol rdm"}, "socket 30/4/0", "Block p 0"},
		"seqpacket":                                {[]string{"network Block protocol seqpacket"}, "socket 1/5/0", "Block p 0"},
		"all is all":                               {[]string{"network Block protocol all"}, "socket 16/3/9", "Block p 0"},
		"upper case means the same":                {[]string{"network Block protocol TCP"}, "bind tcp", "Block p 0"},
		"every operation asks the same: listen":    {tcp, "listen tcp", "Block p 0"},
		"every operation asks the same: accept":    {tcp, "accept tcp", "Block p 0"},
		"every operation asks the same: create":    {tcp, "socket tcp", "Block p 0"},
		"the protocol with its source comes first": {ladder, "connect tcp by /x", "Block p 0"},
		"then the type with its source":            {ladder[1:], "connect tcp by /x", "Audit p 0"},
		"then all with its source":                 {ladder[2:], "connect tcp by /x", "Block p 0"},
		"then the protocol":                        {ladder[3:], "connect tcp", "Audit p 0"},
		"then the type":                            {ladder[4:], "connect tcp", "Block p 0"},
		"then all":                                 {ladder[5:], "connect tcp", "Audit p 0"},
		"two protocols of one socket are equal": {
			[]string{"network Audit protocol icmp", "network Block protocol raw"}, "socket 2/3/1", "Block p 1",
		},
		"of equal outcomes the protocol is named": {
			[]string{"network Block protocol raw severity 9", "network Block protocol icmp"}, "socket 2/3/1", "Block p 1",
		},
		"a terminal is a condition here too": {[]string{"network Block protocol tcp noTerminal"}, "connect tcp terminal", "Block p 0"},
		"without one it spares":              {[]string{"network Block protocol tcp noTerminal"}, "connect tcp", "Allow p 0"},
	}, nil)
}

func TestEveryWordOfTheNetworkHasASocket(t *testing.T) {
	for _, word := range strings.Fields("tcp udp icmp icmpv6 sctp dccp raw packet stream dgram rdm seqpacket") {
		family, kind, protocol, known := SocketOf(word)
		if !known || !(socket{family, kind, protocol}).has(word) {
			t.Errorf("the socket of %s is %d/%d/%d", word, family, kind, protocol)
		}
	}
}

func TestCapabilities(t *testing.T) {
	hold(t, map[string]sentence{
		"by name":                      {[]string{"capabilities Block capability net_raw"}, "capable net_raw", "Block p 0"},
		"and no other":                 {[]string{"capabilities Block capability net_raw"}, "capable net_admin", "Allow"},
		"a rule with a source decides": {[]string{"capabilities Block capability kill", "capabilities Audit capability kill from /x"}, "capable kill by /x", "Audit p 1"},
	}, nil)
}

func TestDNS(t *testing.T) {
	hold(t, map[string]sentence{
		"a name":                                {[]string{"dns Block name example.com"}, "dns example.com", "Block p 0"},
		"in any case, with its closing dot":     {[]string{"dns Block name Example.com"}, "dns eXample.COM.", "Block p 0"},
		"not what is below it":                  {[]string{"dns Block name example.com"}, "dns www.example.com", "Allow"},
		"a wildcard is what is below":           {[]string{"dns Block name *.example.com"}, "dns a.b.example.com", "Block p 0"},
		"not the name itself":                   {[]string{"dns Block name *.example.com"}, "dns example.com", "Allow"},
		"not a name that ends so":               {[]string{"dns Block name *.example.com"}, "dns anexample.com", "Allow"},
		"a name wins over a wildcard":           {[]string{"dns Block name *.b.com", "dns Audit name a.b.com"}, "dns a.b.com", "Audit p 1"},
		"the longer wildcard wins":              {[]string{"dns Block name *.com", "dns Audit name *.b.com"}, "dns a.b.com", "Audit p 1"},
		"a wildcard with a source wins over it": {[]string{"dns Block name a.b.com", "dns Audit name *.com from /x"}, "dns a.b.com by /x", "Audit p 1"},
	}, nil)
}

func TestSyscalls(t *testing.T) {
	hold(t, map[string]sentence{
		"by name":                                {[]string{"syscalls Audit syscalls unlink,rmdir"}, "syscall rmdir", "Audit p 0"},
		"no other":                               {[]string{"syscalls Audit syscalls unlink,rmdir"}, "syscall mkdir", "Allow"},
		"they never deny":                        {[]string{"syscalls Block syscalls unlink"}, "syscall unlink", "Audit p 0"},
		"on a path":                              {[]string{"syscalls Audit syscalls open path /a"}, "syscall open on /a", "Audit p 0"},
		"not on another":                         {[]string{"syscalls Audit syscalls open path /a"}, "syscall open on /b", "Allow"},
		"any call on a path":                     {[]string{"syscalls Audit path /a"}, "syscall open on /a", "Audit p 0"},
		"in a directory":                         {[]string{"syscalls Audit tree /a/"}, "syscall open on /a/b/c", "Audit p 0"},
		"the path is named rather":               {[]string{"syscalls Audit syscalls open", "syscalls Audit path /a"}, "syscall open on /a", "Audit p 1"},
		"by a source":                            {[]string{"syscalls Audit syscalls open from /x"}, "syscall open by /x", "Audit p 0"},
		"not by another":                         {[]string{"syscalls Audit syscalls open from /x"}, "syscall open by /y", "Allow"},
		"an executable is more than a directory": {[]string{"syscalls Audit syscalls open fromTree /x/", "syscalls Audit syscalls open from /x/y"}, "syscall open by /x/y", "Audit p 1"},
		"a deeper directory more than another":   {[]string{"syscalls Audit syscalls open fromTree /x/y/", "syscalls Audit syscalls open fromTree /x/"}, "syscall open by /x/y/z", "Audit p 0"},
		"a plain one more than a recursive one":  {[]string{"syscalls Audit syscalls open fromTree /x/", "syscalls Audit syscalls open fromDir /x/"}, "syscall open by /x/y", "Audit p 1"},
		"any of them more than none":             {[]string{"syscalls Audit syscalls open severity 9", "syscalls Audit syscalls open fromTree /x/"}, "syscall open by /x/y", "Audit p 1"},
		"by a source in a directory":             {[]string{"syscalls Audit syscalls open fromDir /x/"}, "syscall open by /x/y", "Audit p 0"},
		"but not below that":                     {[]string{"syscalls Audit syscalls open fromDir /x/"}, "syscall open by /x/y/z", "Allow"},
		"by a source anywhere in a directory":    {[]string{"syscalls Audit syscalls open fromTree /x/"}, "syscall open by /x/y/z", "Audit p 0"},
	}, nil)
}

func TestPresets(t *testing.T) {
	fileless, environment := []string{"preset Block preset filelessExec"}, []string{"preset Block preset protectEnv"}
	hold(t, map[string]sentence{
		"filelessExec: a program in memory":             {fileless, "exec object", "Block p 0"},
		"filelessExec: not one of a file":               {fileless, "exec /a", "Allow"},
		"protectEnv: the environment of others":         {environment, "read /proc/7/environ pid 8", "Block p 0"},
		"protectEnv: also by a thread's name":           {environment, "read /proc/7/task/9/environ pid 8", "Block p 0"},
		"protectEnv: its own may be read":               {environment, "read /proc/8/environ pid 8", "Allow"},
		"protectEnv: other files of others too":         {environment, "read /proc/7/status pid 8", "Allow"},
		"protectProc: anything of others":               {[]string{"preset Block preset protectProc"}, "read /proc/7/status pid 8", "Block p 0"},
		"protectProc: what is nobody's stays readable":  {[]string{"preset Block preset protectProc"}, "read /proc/meminfo pid 8", "Allow"},
		"anonymousMapExec: memory that is executable":   {[]string{"preset Audit preset anonymousMapExec"}, "map", "Audit p 0"},
		"exec: brought in from outside":                 {[]string{"preset Block preset exec"}, "exec /bin/sh entered", "Block p 0"},
		"exec: only executions":                         {[]string{"preset Block preset exec"}, "read /a entered", "Allow"},
		"exec: started inside":                          {[]string{"preset Block preset exec"}, "exec /bin/sh", "Allow"},
		"a preset is judged beside the rules":           {[]string{"process Allow path /bin/sh", "preset Block preset exec"}, "exec /bin/sh entered", "Block p 1"},
		"the stronger of them holds":                    {[]string{"process Block path /bin/sh", "preset Audit preset exec"}, "exec /bin/sh entered", "Block p 0"},
		"of two the stronger holds":                     {[]string{"a: preset Allow preset exec", "b: preset Block preset exec"}, "exec /bin/sh entered", "Block b 0"},
		"a preset that allows makes no allow-list":      {[]string{"preset Allow preset exec"}, "exec /bin/sh", "Allow"},
		"memory is executable where nothing forbids it": {fileless, "map", "Allow"},
	}, nil)
}
