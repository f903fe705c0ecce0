// SPDX-License-Identifier: Apache-2.0

package mtls_test

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
)

// refusals are what a door says of the connections that it did not let in.
type refusals struct {
	mu  sync.Mutex
	all []string
}

func (r *refusals) add(_ net.Addr, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, why.Error())
}

// about counts those that say this.
func (r *refusals) about(text string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, why := range r.all {
		if strings.Contains(why, text) {
			n++
		}
	}
	return n
}

// dialFrom connects from one address of the loopback network.
func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestWhoSaysNothingTakesNoPlaceOfOthers: one address holds some of the places, and each connection beyond is counted.
func TestWhoSaysNothingTakesNoPlaceOfOthers(t *testing.T) {
	ours := authority(t)
	files := issue(t, ours, t.TempDir(), "relay")
	told := &refusals{}
	address := serve(t, mtls.Door{Files: files, Refused: told.add}.Credentials())
	const silent, most = 300, 32
	var held []net.Conn
	for range silent {
		held = append(held, dialFrom(t, "127.0.0.2", address))
	}
	deadline := time.Now().Add(5 * time.Second)
	for told.about("32 connections from 127.0.0.2") < silent-most && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if n := told.about("32 connections from 127.0.0.2"); n != silent-most {
		t.Errorf("%d of %d silent connections are refused, want %d", n, silent, silent-most)
	}
	if err := ask(t, address, mtls.Client(files, "relay")); err != nil {
		t.Errorf("a client of another address: %v", err)
	}
	for _, c := range held {
		_ = c.Close()
	}
	deadline = time.Now().Add(5 * time.Second)
	for told.about("it said nothing") < most && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if n := told.about("it said nothing"); n != most {
		t.Errorf("%d connections are counted as silent, want %d", n, most)
	}
}

// TestARefusalIsAnAnswer that clients do not take for a broken network, and try again.
func TestARefusalIsAnAnswer(t *testing.T) {
	ours, theirs := authority(t), authority(t)
	server, stranger := issue(t, ours, t.TempDir(), "relay"), issue(t, theirs, t.TempDir(), "client")
	told := &refusals{}
	address := serve(t, mtls.Door{Files: server, Refused: told.add}.Credentials())
	if err := ask(t, address, insecure.NewCredentials()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without TLS: %v", err)
	}
	stranger.CA = server.CA
	if err := ask(t, address, mtls.Client(stranger, "relay")); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stranger: %v", err)
	}
	if told.about("speaks TLS only") != 1 || told.about("refuses the client's certificate") != 1 || len(told.all) != 2 {
		t.Errorf("counted %q", told.all)
	}
}

// TestWhoAsksNothingIsToldToo, by a goodbye.
func TestWhoAsksNothingIsToldToo(t *testing.T) {
	address := serve(t, mtls.Server(issue(t, authority(t), t.TempDir(), "relay")))
	c := dialFrom(t, "127.0.0.1", address)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("no goodbye: %v", err)
		}
		if goodbye, is := frame.(*http2.GoAwayFrame); is {
			if !strings.Contains(string(goodbye.DebugData()), "this server speaks TLS only") {
				t.Errorf("said %q", goodbye.DebugData())
			}
			return
		}
	}
}

// TestFilesThatDoNotFitLeaveTheLastOnesInUse on both sides.
func TestFilesThatDoNotFitLeaveTheLastOnesInUse(t *testing.T) {
	ours := authority(t)
	server, own := issue(t, ours, t.TempDir(), "relay"), issue(t, ours, t.TempDir(), "client")
	address := serve(t, mtls.Server(server))
	client := mtls.Client(own, "relay")
	if err := ask(t, address, client); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{server.Cert, own.Key} {
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := ask(t, address, client); err != nil {
			t.Errorf("after %s broke: %v", file, err)
		}
	}
}
