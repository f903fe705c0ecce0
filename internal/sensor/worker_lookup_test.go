// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// lookUp sends a query for names in some way to a server on this machine's loopback, where one is needed.
func lookUp(args []string) error {
	var wire [][]byte
	for _, name := range args[1:] {
		wire = append(wire, wireName(name))
	}
	switch message := query(wire...); args[0] {
	case "udp":
		return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{127, 0, 0, 1}}, message)
	case "udp6":
		return sendTo(unix.AF_INET6, &unix.SockaddrInet6{Port: 53, Addr: [16]byte{15: 1}}, message)
	case "connected":
		return sendConnected(message)
	case "answer":
		message[2] |= 0x80
		return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{127, 0, 0, 1}}, message)
	case "compressed":
		return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{127, 0, 0, 1}}, query([]byte{0xc0, 12}))
	case "large":
		return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{127, 0, 0, 1}}, append(message, make([]byte, 5000)...))
	case "segments":
		return sendSegments(message)
	case "elsewhere":
		return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: 54, Addr: [4]byte{127, 0, 0, 1}}, message)
	case "tcp":
		return stream(prefixed(message))
	case "pieces":
		whole := prefixed(message)
		return stream(whole[:2], whole[2:20], whole[20:])
	case "two":
		return stream(append(prefixed(query(wire[0])), prefixed(query(wire[1]))...))
	default:
		return fmt.Errorf("no way to look up is called %q", args[0])
	}
}

func sendTo(family int, server unix.Sockaddr, message []byte) error {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, message, 0, server)
}

func sendConnected(message []byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	_, err = unix.Write(fd, message)
	return err
}

// sendSegments gives the kernel several datagrams in one (UDP_SEGMENT): the second asks for what the first does not.
func sendSegments(message []byte) error {
	first := query(wireName("harmless.exampl"))
	for len(first) < len(message) {
		first = append(first, 0)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, len(first)); err != nil {
		return err
	}
	return unix.Sendto(fd, append(first, message...), 0, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{127, 0, 0, 1}})
}

// arrival is how long what was sent may take to its server, on a slow and busy machine.
const arrival = 3 * time.Second

// stream writes pieces to a server of this process; EPERM if not all of them arrive.
func stream(pieces ...[]byte) error {
	listener, err := net.Listen("tcp", "127.0.0.1:53")
	if err != nil {
		return err
	}
	defer listener.Close()
	client, err := net.Dial("tcp", "127.0.0.1:53")
	if err != nil {
		return err
	}
	// What was refused is not to be tried again after the end.
	defer func() {
		_ = client.(*net.TCPConn).SetLinger(0)
		client.Close()
	}()
	server, err := listener.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	bytes := 0
	for _, piece := range pieces {
		if _, err := client.Write(piece); err != nil {
			return err
		}
		bytes += len(piece)
		time.Sleep(50 * time.Millisecond)
	}
	if err := server.SetReadDeadline(time.Now().Add(arrival)); err != nil {
		return err
	}
	if _, err := io.ReadFull(server, make([]byte, bytes)); err != nil {
		return errors.Join(unix.EPERM, err)
	}
	return nil
}
