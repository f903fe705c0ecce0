// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// sockets are the attempts with a socket of a family, type and protocol.
func sockets() map[string]func([]string) error {
	return map[string]func([]string) error{
		"socket": withSocket(func(int, []int) error { return nil }),
		"pair": func(a []string) error {
			n, err := numbers(a)
			if err != nil {
				return err
			}
			pair, err := unix.Socketpair(n[0], n[1]|unix.SOCK_CLOEXEC, n[2])
			if err != nil {
				return err
			}
			return errors.Join(unix.Close(pair[0]), unix.Close(pair[1]))
		},
		"bind": withSocket(func(fd int, n []int) error { return unix.Bind(fd, address(n, 0)) }),
		"listen": withSocket(func(fd int, n []int) error {
			if err := unix.Bind(fd, address(n, 0)); err != nil {
				return err
			}
			return unix.Listen(fd, 1)
		}),
		"accept": withSocket(func(fd int, n []int) error {
			if err := unix.Bind(fd, address(n, 0)); err != nil {
				return err
			}
			if err := unix.Listen(fd, 1); err != nil {
				return err
			}
			other, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
			return closed(other, err)
		}),
		"connect": withSocket(func(fd int, n []int) error { return unix.Connect(fd, address(n, 9)) }),
		"sendmsg": withSocket(func(fd int, n []int) error { return unix.Sendto(fd, []byte("text"), unix.MSG_NOSIGNAL, address(n, 9)) }),
		"dns":     lookUp,
	}
}

func withSocket(do func(fd int, n []int) error) func([]string) error {
	return func(a []string) error {
		n, err := numbers(a)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(n[0], n[1]|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, n[2])
		if err != nil {
			return err
		}
		return errors.Join(do(fd, n), unix.Close(fd))
	}
}

// address on this machine, of a family that has one; else one that no socket takes.
func address(n []int, port int) unix.Sockaddr {
	switch n[0] {
	case unix.AF_INET:
		return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	case unix.AF_INET6:
		return &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
	case unix.AF_PACKET:
		return &unix.SockaddrLinklayer{Ifindex: 1}
	case unix.AF_NETLINK:
		return &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	default:
		name := fmt.Sprintf("@diffvm-%d-%d", os.Getpid(), port)
		return &unix.SockaddrUnix{Name: name}
	}
}

// lookUp sends a query for the addresses of a name to the resolver of this machine: connected or not, IPv4 or IPv6.
func lookUp(a []string) error {
	how, name := a[0], a[1]
	query := []byte{0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	query = append(query, 0, 0, 1, 0, 1)
	family := unix.AF_INET
	if strings.Contains(how, "6") {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	server := address([]int{family}, 53)
	if strings.HasPrefix(how, "connected") {
		if err := unix.Connect(fd, server); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		_, err = unix.Write(fd, query)
		return errors.Join(err, unix.Close(fd))
	}
	return errors.Join(unix.Sendto(fd, query, 0, server), unix.Close(fd))
}
