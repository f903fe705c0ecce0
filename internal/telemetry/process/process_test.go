// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"
)

// statLine of a process that started 100 s after the node, on a terminal of that number.
func statLine(name, tty string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("42 (" + name + ") S 1 42 42 " + tty + " 42 4194560 1 0 0 0 0 0 0 0 20 0 1 0 10000 1 1\n")}
}

func cwd(path string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(path), Mode: fs.ModeSymlink}
}

func TestLookAtAProcess(t *testing.T) {
	booted := time.Unix(1700000000, 0)
	for name, tt := range map[string]struct {
		proc fstest.MapFS
		at   time.Duration
		want Found
		err  error
	}{
		"on a pseudo terminal":          {fstest.MapFS{"42/stat": statLine("sh", "34819"), "42/cwd": cwd("/srv")}, 200 * time.Second, Found{"/srv", "pts3"}, nil},
		"with a name that misleads":     {fstest.MapFS{"42/stat": statLine("a) S 9 (b", "0"), "42/cwd": cwd("/")}, 200 * time.Second, Found{"/", ""}, nil},
		"that ended":                    {fstest.MapFS{}, 200 * time.Second, Found{}, ErrEnded},
		"whose id was given to another": {fstest.MapFS{"42/stat": statLine("sh", "0"), "42/cwd": cwd("/srv")}, 99 * time.Second, Found{}, ErrEnded},
	} {
		t.Run(name, func(t *testing.T) {
			l := Looker{Proc: tt.proc, Booted: func() time.Time { return booted }, Most: 1}
			got, err := l.Look(42, booted.Add(tt.at))
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("found %+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestLooksAreBounded(t *testing.T) {
	l := Looker{Proc: fstest.MapFS{}, Booted: time.Now, Most: 2}
	for range 2 {
		if _, err := l.Look(1, time.Now()); !errors.Is(err, ErrEnded) {
			t.Errorf("error = %v", err)
		}
	}
	if _, err := l.Look(1, time.Now()); !errors.Is(err, ErrMany) {
		t.Errorf("the third in a second: %v", err)
	}
}

// TestLookAtThisProcess holds the format to the kernel's.
func TestLookAtThisProcess(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	l := Looker{Proc: os.DirFS("/proc"), Booted: Booted, Most: 1}
	if got, err := l.Look(uint32(os.Getpid()), time.Now()); err != nil || got.Cwd != here {
		t.Errorf("found %+v, %v; want cwd %s", got, err, here)
	}
}

func TestTerminalsByName(t *testing.T) {
	for device, want := range map[uint32]string{
		0: "", 136<<8 | 3: "pts3", 137<<8 | 1: "pts257", 4<<8 | 1: "tty1", 4<<8 | 64: "ttyS0", 5<<8 | 1: "5:1",
	} {
		if got := ttyName(device); got != want {
			t.Errorf("%#x: %q, want %q", device, got, want)
		}
	}
}
