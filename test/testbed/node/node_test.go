// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

func TestSettingsRouteToEveryOtherNode(t *testing.T) {
	spec := Spec{Name: "b", Index: 2}
	got := spec.settings(3)
	for _, want := range []string{"NODE=b\n", "ADDRESS=10.99.0.12\n", "ROUTES='10.244.1.0/24@10.99.0.11 10.244.3.0/24@10.99.0.13'\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("settings lack %q:\n%s", want, got)
		}
	}
}

func TestBPFLSMIsAWholeWord(t *testing.T) {
	for lsm, want := range map[string]bool{"apparmor,bpf": true, "bpf": true, "apparmor": false, "": false, "notbpf": false} {
		if got := (Spec{LSM: lsm}).BPFLSM(); got != want {
			t.Errorf("lsm=%q: %v, want %v", lsm, got, want)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	for _, test := range []struct {
		name, said string
		want       string
		status     int
	}{
		{"output without a last line break", "\nt1\nhello\nt1 0\n", "hello", 0},
		{"output with a last line break", "\nt1\nhello\n\nt1 0\n", "hello\n", 0},
		{"no output", "\nt1\n\nt1 0\n", "", 0},
		{"what an earlier command left unread is skipped", "left over\n\nt0 0\n\nt1\nhello\n\nt1 0\n", "hello\n", 0},
		{"a status other than zero is an error with the output", "\nt1\nno such file\n\nt1 2\n", "no such file\n", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readAnswer(bufio.NewReader(strings.NewReader(test.said)), "t1")
			if got != test.want {
				t.Errorf("output %q, want %q", got, test.want)
			}
			var exit *ExitError
			if errors.As(err, &exit) != (test.status != 0) || (exit != nil && exit.Status != test.status) {
				t.Errorf("error %v, want status %d", err, test.status)
			}
		})
	}
	t.Run("an answer that breaks off is an error", func(t *testing.T) {
		if _, err := readAnswer(bufio.NewReader(strings.NewReader("hel")), "t1"); err == nil {
			t.Error("no error")
		}
	})
}
