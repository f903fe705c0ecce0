// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// workerOperation makes this test binary a worker: it does one operation, prints its errno and ends.
const workerOperation = "SENSOR_TEST_OPERATION"

func TestMain(m *testing.M) {
	if operation := os.Getenv(workerOperation); operation != "" {
		os.Exit(work(operation, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func workers() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"open":          openFile,
		"write":         writeFile,
		"exec":          func(args []string) error { return exec.Command(args[0]).Run() },
		"execat":        execDescriptor,
		"nested":        nested,
		"chroot":        chrooted,
		"unshare-mount": unshareMount,
		"unshare-pid":   unsharePID,
		"descend":       descend,
		"unlinked":      unlinked,
		"pipe":          reopenPipe,
		"detached":      detached,
		"loop":          loop,
		"mix":           mix,
		"load":          load,
		"churn":         churn,
	}
}

func work(operation string, args []string) int {
	f, ok := workers()[operation]
	if !ok {
		f, ok = languageWorkers()[operation]
	}
	if !ok {
		f, ok = presetWorkers()[operation]
	}
	if !ok {
		f, ok = evasionWorkers()[operation]
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "unknown operation", operation)
		return 2
	}
	err := f(args)
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		fmt.Fprintln(os.Stderr, operation, args, err)
		return 1
	}
	fmt.Printf("errno %d\n", int(errno))
	return 0
}

func openFile(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	return f.Close()
}

func writeFile(args []string) error {
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// execDescriptor executes a memfd, as a dropper without files does.
func execDescriptor(args []string) error {
	fd, err := unix.MemfdCreate(args[0], 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, tinyProgram()); err != nil {
		return err
	}
	return exec.Command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)).Run()
}

// nested moves this process to a cgroup below its own, and opens.
func nested(args []string) error {
	below := filepath.Join(args[0], "below", "it")
	if err := os.MkdirAll(below, 0o755); err != nil {
		return err
	}
	defer func() {
		back := os.WriteFile(filepath.Join(args[0], "cgroup.procs"), []byte("0"), 0)
		if err := errors.Join(back, os.Remove(below), os.Remove(filepath.Dir(below))); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	if err := os.WriteFile(filepath.Join(below, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	return openFile(args[1:])
}

func chrooted(args []string) error {
	if err := unix.Chroot(args[0]); err != nil {
		return err
	}
	return openFile(args[1:])
}

func unshareMount(args []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err
	}
	return openFile(args)
}

func unsharePID(args []string) error {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), workerOperation+"=open")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	number, _ := strings.CutPrefix(strings.TrimSpace(string(out)), "errno ")
	errno, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	if errno != 0 {
		return syscall.Errno(errno)
	}
	return nil
}

// descend makes and enters folders step by step, deeper than any path may be long, and makes a file at the end.
func descend(args []string) error {
	if err := os.Chdir(args[0]); err != nil {
		return err
	}
	steps, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for range steps {
		if err := os.Mkdir(args[1], 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := os.Chdir(args[1]); err != nil {
			return err
		}
	}
	return writeFile([]string{"file"})
}

// unlinked opens a file by its descriptor after its name is gone.
func unlinked(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(args[0]); err != nil {
		return err
	}
	return openFile([]string{fmt.Sprintf("/proc/self/fd/%d", f.Fd())})
}

func reopenPipe([]string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	return openFile([]string{fmt.Sprintf("/proc/self/fd/%d", r.Fd())})
}

// detached opens a file through a copy of its mount that is nowhere in the mount namespace.
func detached(args []string) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, filepath.Dir(args[0]), unix.OPEN_TREE_CLONE)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(tree, filepath.Base(args[0]), unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// loop opens a file as often as it can until standard input is closed, and prints how often that was denied and allowed.
func loop(args []string) error {
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	denied, allowed := 0, 0
	for {
		fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
		switch {
		case errors.Is(err, unix.EACCES):
			denied++
		case err == nil:
			unix.Close(fd)
			allowed++
		default:
			return err
		}
		if denied == 1 && allowed == 0 {
			fmt.Println("looping")
		}
		select {
		case <-stop:
			fmt.Printf("denied %d allowed %d\n", denied, allowed)
			return nil
		default:
		}
	}
}

// mix opens an allowed and a denied file from many threads at once, and fails at the first wrong verdict.
func mix(args []string) error {
	allowed, denied := args[0], args[1]
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	wrong := make(chan error, 32)
	for i := range cap(wrong) {
		go func() {
			runtime.LockOSThread()
			for ctx.Err() == nil {
				path, want := allowed, error(nil)
				if i%2 == 1 {
					path, want = denied, unix.EACCES
				}
				fd, err := unix.Open(path, unix.O_RDONLY, 0)
				if !errors.Is(err, want) {
					wrong <- fmt.Errorf("open %s: %w, not %w", path, err, want)
					return
				}
				if err == nil {
					unix.Close(fd)
				}
			}
			wrong <- nil
		}()
	}
	for range cap(wrong) {
		if err := <-wrong; err != nil {
			fmt.Fprintln(os.Stderr, err)
			return unix.EUCLEAN
		}
	}
	return nil
}

// load opens a pinned core, applies the set in a file, and waits to be killed.
func load(args []string) error {
	core, set, err := loadStored(args)
	if err != nil {
		return err
	}
	if err := core.Apply(context.Background(), set.set()); err != nil {
		return err
	}
	fmt.Println("loaded")
	for {
		time.Sleep(time.Hour)
	}
}

// churn is load with another opening of the core or another set, over and over.
func churn(args []string) error {
	for i := 0; ; i++ {
		core, set, err := loadStored(args)
		if err != nil {
			return err
		}
		for range 5 {
			changed := set
			changed.Rules = append(changed.Rules, rule(compile.ActionAudit, compile.DomainFile, compile.MatchPath, fmt.Sprintf("/churn/%d", i)))
			i++
			if err := core.Apply(context.Background(), changed.set()); err != nil {
				return err
			}
			if i == 1 {
				fmt.Println("loaded")
			}
		}
		if err := core.Close(); err != nil {
			return err
		}
	}
}

func loadStored(args []string) (*Core, storedSet, error) {
	var set storedSet
	core, err := Open(context.Background(), Options{Mode: ModeEnforce, BPFFS: args[0]})
	if err != nil {
		return nil, set, err
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return nil, set, err
	}
	return core, set, json.Unmarshal(text, &set)
}

// storedSet is a set of one profile as JSON holds it.
type storedSet struct {
	Generation uint64
	Cgroup     compile.Cgroup
	Rules      []compile.Rule
}

func (s storedSet) set() compile.Set {
	profile := profileOf(s.Rules)
	return compile.Set{
		Generation: s.Generation,
		Profiles:   []compile.Profile{profile},
		Bindings:   map[compile.Cgroup]compile.ProfileID{s.Cgroup: profile.ID},
	}
}
