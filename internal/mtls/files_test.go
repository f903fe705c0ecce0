// SPDX-License-Identifier: Apache-2.0

package mtls

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// volume is a folder as the kubelet makes it of a Secret: the files are symlinks through ..data, which leads to the folder
// of one version and is swapped in one step.
type volume struct {
	t    *testing.T
	path string
	n    int
}

func newVolume(t *testing.T) *volume {
	v := &volume{t: t, path: t.TempDir()}
	for _, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(v.path, name)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// swap puts a version in place and removes the one before, as the kubelet does.
func (v *volume) swap(version string) {
	v.t.Helper()
	v.n++
	name := fmt.Sprintf("..version-%d", v.n)
	if err := os.Mkdir(filepath.Join(v.path, name), 0o700); err != nil {
		v.t.Fatal(err)
	}
	for _, file := range []string{"ca.crt", "tls.crt", "tls.key"} {
		if err := os.WriteFile(filepath.Join(v.path, name, file), []byte(version+" "+file), 0o600); err != nil {
			v.t.Fatal(err)
		}
	}
	before, _ := os.Readlink(filepath.Join(v.path, "..data"))
	if err := os.Symlink(name, filepath.Join(v.path, "..data_tmp")); err != nil {
		v.t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(v.path, "..data_tmp"), filepath.Join(v.path, "..data")); err != nil {
		v.t.Fatal(err)
	}
	if before != "" {
		if err := os.RemoveAll(filepath.Join(v.path, before)); err != nil {
			v.t.Fatal(err)
		}
	}
}

// TestFilesOfASecretAreOfOneVersion at whichever read the kubelet swaps them.
func TestFilesOfASecretAreOfOneVersion(t *testing.T) {
	for at := range 8 {
		t.Run(fmt.Sprintf("swapped before read %d", at), func(t *testing.T) {
			v := newVolume(t)
			v.swap("old")
			reads := 0
			got, err := Folder(v.path).stable(func(file string) ([]byte, error) {
				if reads++; reads == at+1 {
					v.swap("new")
				}
				return os.ReadFile(file)
			})
			if err != nil {
				t.Fatal(err)
			}
			version, _, _ := bytes.Cut(got[0], []byte(" "))
			for i, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
				if want := string(version) + " " + name; string(got[i]) != want {
					t.Errorf("%q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestFilesThatNeverRestAreNotBelieved(t *testing.T) {
	n := 0
	_, err := Folder("x").stable(func(string) ([]byte, error) { n++; return []byte(fmt.Sprint(n)), nil })
	if err == nil || n > 3*mostReads {
		t.Errorf("after %d reads: %v", n, err)
	}
}
