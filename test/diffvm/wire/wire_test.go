// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestAnyBytesArriveAsTheyAre(t *testing.T) {
	sent := []Attempt{
		{UID: 1, Drop: -1, Act: "open", Args: []string{"/\xff\n ü", "0"}},
		{Drop: 21, Act: "exec", Args: []string{strings.Repeat("/n", 2000), ""}},
		{Act: "nothing", Args: []string{}},
	}
	var pipe bytes.Buffer
	for _, a := range sent {
		if err := a.Write(&pipe); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range sent {
		got, err := Read(&pipe)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("an attempt is another one (-sent +got):\n%s", diff)
		}
	}
}

func TestAnAnswerIsTheKernelsOrAProblem(t *testing.T) {
	var pipe bytes.Buffer
	if err := Answer(&pipe, unix.EACCES, ""); err != nil {
		t.Fatal(err)
	}
	if errno, err := ReadAnswer(&pipe); errno != unix.EACCES || err != nil {
		t.Errorf("got %v, %v", errno, err)
	}
	if err := Answer(&pipe, 0, "no such act"); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAnswer(&pipe); err == nil || !strings.Contains(err.Error(), "no such act") {
		t.Errorf("got %v", err)
	}
}
