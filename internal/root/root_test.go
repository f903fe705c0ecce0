// SPDX-License-Identifier: Apache-2.0

package root

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// make a root of "path" (a file), "path/" (a folder) and "path -> target" (a symlink).
func makeRoot(t *testing.T, places ...string) (*Root, string) {
	t.Helper()
	dir := t.TempDir()
	for _, place := range places {
		name, target, isLink := strings.Cut(place, " -> ")
		full := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, full)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(full, 0o755)
		default:
			err = os.WriteFile(full, nil, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := Directory(dir)
	t.Cleanup(r.Close)
	return r, dir
}

func TestResolve(t *testing.T) {
	r, _ := makeRoot(t,
		"usr/bin/sleep", "usr/bin/perl5.36", "usr/lib64/", "usr/bin/busybox",
		"bin -> usr/bin", "sbin -> /usr/bin", "lib64 -> usr/lib64",
		"usr/bin/editor -> /etc/alternatives/editor", "etc/alternatives/editor -> ../../bin/perl5.36",
		"usr/bin/ls -> busybox", "usr/bin/busybox.old -> busybox",
		"up -> ../../../../../../etc/alternatives", "loop -> loop", "a -> b", "b -> a",
		"dangling -> /nowhere/at/all", "file -> usr/bin/sleep", "self -> .",
		"home/long -> "+strings.Repeat("./", 1000)+"there",
	)
	type answer struct {
		Object    string
		MultiCall bool
	}
	tests := map[string]struct {
		path string
		want answer
	}{
		"a file without any symlink is itself":                     {"/usr/bin/sleep", answer{"/usr/bin/sleep", false}},
		"a merged /bin leads to /usr/bin":                          {"/bin/sleep", answer{"/usr/bin/sleep", false}},
		"absolute targets start at this root, not at ours":         {"/sbin/sleep", answer{"/usr/bin/sleep", false}},
		"alternatives are followed to their end":                   {"/bin/editor", answer{"/usr/bin/perl5.36", false}},
		"a folder keeps its slash":                                 {"/lib64/", answer{"/usr/lib64/", false}},
		"and so does one that is no symlink":                       {"/usr/lib64/", answer{"/usr/lib64/", false}},
		"the root itself":                                          {"/", answer{"/", false}},
		"too many .. end at the root":                              {"/up/editor", answer{"/usr/bin/perl5.36", false}},
		"what does not exist is kept, behind what does":            {"/bin/none/at/all", answer{"/usr/bin/none/at/all", false}},
		"a folder that does not exist is kept":                     {"/srv/data/", answer{"/srv/data/", false}},
		"a dangling symlink leads to where the file would be":      {"/dangling/x", answer{"/nowhere/at/all/x", false}},
		"a file is no folder":                                      {"/usr/bin/sleep/x", answer{"/usr/bin/sleep/x", false}},
		"a symlink to a file is no folder either":                  {"/file/x", answer{"/usr/bin/sleep/x", false}},
		"a loop resolves nothing":                                  {"/loop/x", answer{"/loop/x", false}},
		"nor does one of two":                                      {"/a", answer{"/a", false}},
		"a long target":                                            {"/home/long", answer{"/home/there", false}},
		"a symlink to the folder that it is in":                    {"/self/self/bin/sleep", answer{"/usr/bin/sleep", false}},
		"an applet of busybox by its symlink is not busybox":       {"/bin/ls", answer{"/usr/bin/busybox", true}},
		"busybox by its own name is busybox":                       {"/bin/busybox", answer{"/usr/bin/busybox", false}},
		"busybox by a name of its own is no single program either": {"/bin/busybox.old", answer{"/usr/bin/busybox", true}},
		"a name that is too long for the kernel":                   {"/" + strings.Repeat("n", 300), answer{"/" + strings.Repeat("n", 300), false}},
		"the path of a folder that has a symlink's name for start": {"/bin-extra/x", answer{"/bin-extra/x", false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, when := range []string{"first", "again"} {
				object, multiCall := r.Resolve(tt.path)
				if diff := cmp.Diff(tt.want, answer{object, multiCall}); diff != "" {
					t.Errorf("Resolve(%.80q) %s (-want +got):\n%s", tt.path, when, diff)
				}
			}
		})
	}
}

func TestResolveStaysInside(t *testing.T) {
	r, dir := makeRoot(t, "etc/")
	outside := t.TempDir()
	if err := errors.Join(
		os.Symlink("/secret", filepath.Join(outside, "way")),
		os.Symlink(filepath.Join(outside, "way"), filepath.Join(dir, "absolute")),
		os.Symlink("../"+filepath.Base(outside)+"/way", filepath.Join(dir, "relative")),
		os.Symlink("/proc/self/root", filepath.Join(dir, "magic")),
	); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/absolute":  filepath.Join(outside, "way"), // where it would be inside, and is not
		"/relative":  "/" + filepath.Base(outside) + "/way",
		"/magic/etc": "/proc/self/root/etc",
	} {
		if got, _ := r.Resolve(path); got != want {
			t.Errorf("Resolve(%s) = %s, want %s", path, got, want)
		}
	}
}

func TestMagicLinksAreNoSymlinks(t *testing.T) {
	r := Directory("/")
	defer r.Close()
	for _, path := range []string{"/proc/1/root/etc/passwd", "/proc/self/exe"} {
		if got, _ := r.Resolve(path); got != path {
			t.Errorf("Resolve(%s) = %s", path, got)
		}
	}
}

func TestAnAnswerStays(t *testing.T) {
	r, dir := makeRoot(t, "usr/bin/sleep", "bin -> usr/bin")
	if got, _ := r.Resolve("/bin/sleep"); got != "/usr/bin/sleep" {
		t.Fatal(got)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "bin")), os.Symlink("evil", filepath.Join(dir, "bin"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/bin/sleep", "/bin/wake"} {
		if got, _ := r.Resolve(path); got != "/usr"+path {
			t.Errorf("after the symlink was moved away, Resolve(%s) = %s", path, got)
		}
	}
}

func TestTheDirectoryIsClosedWhenIdleAndOpenedAgain(t *testing.T) {
	r, dir := makeRoot(t, "usr/bin/sleep", "bin -> usr/bin")
	opened := 0
	open := r.open
	r.open = func() (*os.File, error) { opened++; return open() }
	r.Resolve("/bin/sleep")
	r.Close()
	r.Close()
	if got, _ := r.Resolve("/bin/other"); got != "/usr/bin/other" || opened != 2 {
		t.Errorf("after Close: %s, opened %d times", got, opened)
	}
	r.Close()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Resolve("/bin/sleep"); got != "/usr/bin/sleep" {
		t.Errorf("an answer that was given once needs no directory: %s", got)
	}
	if got, _ := r.Resolve("/bin/new"); got != "/bin/new" {
		t.Errorf("without its directory: %s", got)
	}
	if err := r.Check(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Check without its directory: %v", err)
	}
}

func TestAFileSystemThatDoesNotAnswerIsAskedNothingMore(t *testing.T) {
	r, _ := makeRoot(t, "usr/bin/sleep", "bin -> usr/bin")
	answer := make(chan entry, 1)
	r.waiting = answer
	if got, _ := r.Resolve("/bin/sleep"); got != "/bin/sleep" || !errors.Is(r.Check(), ErrStuck) {
		t.Errorf("while an answer is missing: %s, %v", got, r.Check())
	}
	answer <- entry{}
	if got, _ := r.Resolve("/bin/sleep"); got != "/usr/bin/sleep" {
		t.Errorf("after it: %s", got)
	}
}

// publish puts a new version of a file into a volume as the kubelet does: a new folder, then one link that is moved to it.
func publish(t *testing.T, volume, version string) {
	t.Helper()
	if err := errors.Join(
		os.Mkdir(filepath.Join(volume, version), 0o755),
		os.WriteFile(filepath.Join(volume, version, "token"), nil, 0o644),
		os.Symlink(version, filepath.Join(volume, "..data_tmp")),
		os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")),
	); err != nil {
		t.Fatal(err)
	}
}

// mountReadOnly shows a folder at another place, to the current thread alone, which is not given back.
func mountReadOnly(t *testing.T, folder, at string) {
	t.Helper()
	runtime.LockOSThread()
	if err := errors.Join(
		unix.Unshare(unix.CLONE_NEWNS),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount(folder, at, "", unix.MS_BIND, ""),
		unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""),
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
}

func TestLinksThatTheKubeletMovesAreFollowedAnew(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a mount needs root")
	}
	volume := t.TempDir()
	publish(t, volume, "..2026_1")
	r, dir := makeRoot(t, "run/secrets/", "own/a/token", "own/b/token", "own/..data -> a", "own/token -> ..data/token")
	if err := os.Symlink("..data/token", filepath.Join(volume, "token")); err != nil {
		t.Fatal(err)
	}
	mountReadOnly(t, volume, filepath.Join(dir, "run/secrets"))
	expect := func(when string, want ...string) {
		t.Helper()
		token, _ := r.Resolve("/run/secrets/token")
		own, _ := r.Resolve("/own/token")
		if diff := cmp.Diff(want, []string{token, own}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	expect("at first", "/run/secrets/..2026_1/token", "/own/a/token")
	moved := func() bool {
		r.glanced = time.Time{}
		return r.Moved()
	}
	if moved() {
		t.Error("moved, before anything was")
	}
	publish(t, volume, "..2026_2")
	publishOwn := errors.Join(os.Remove(filepath.Join(dir, "own/..data")), os.Symlink("b", filepath.Join(dir, "own/..data")))
	if r.Moved() {
		t.Error("the links were looked at again at once")
	}
	if publishOwn != nil || !moved() {
		t.Error("the update was not seen: ", publishOwn)
	}
	expect("after updates, of which the container made one", "/run/secrets/..2026_2/token", "/own/a/token")
	if moved() {
		t.Error("moved, after it was followed")
	}
	r.Close()
	r.open = func() (*os.File, error) { return nil, os.ErrNotExist }
	expect("when the root is gone", "/run/secrets/..2026_2/token", "/own/a/token")
}
