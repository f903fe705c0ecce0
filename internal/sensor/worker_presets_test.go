// SPDX-License-Identifier: Apache-2.0

package sensor

import (
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
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	readOnly  = unix.PROT_READ
	readWrite = unix.PROT_READ | unix.PROT_WRITE
	readExec  = unix.PROT_READ | unix.PROT_EXEC
	all       = unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC

	anonymous = unix.MAP_ANON | unix.MAP_PRIVATE
	shmExec   = 0o100000
)

// presetWorkers are the attacks that presets are for, and what looks like them.
func presetWorkers() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"memory-exec":      func([]string) error { return execMemory(string(tinyProgram())) },
		"memory-map":       func([]string) error { return mapMemory(readExec, unix.MAP_PRIVATE) },
		"memory-protect":   func([]string) error { return protect(inMemory, readOnly, unix.MAP_SHARED, readExec, false) },
		"memory-script":    func(args []string) error { return execMemory("#!" + args[0] + "\n") },
		"memory-handed":    execEmptyPath,
		"memory-read":      func([]string) error { return mapMemory(readWrite, unix.MAP_SHARED) },
		"anonymous-map":    func([]string) error { return mapAnonymous(all, anonymous) },
		"anonymous-shared": func([]string) error { return mapAnonymous(readExec, unix.MAP_ANON|unix.MAP_SHARED) },
		"anonymous-later":  func([]string) error { return protect(nil, readWrite, anonymous, readExec, true) },
		"anonymous-data":   func([]string) error { return mapAnonymous(readWrite, anonymous) },
		"shm-attach":       attachShared,
		"device-map":       func([]string) error { return mapFile(unix.MAP_SHARED, all)([]string{"/dev/zero"}) },
		"file-map":         mapFile(unix.MAP_PRIVATE, readExec),
		"file-writable":    mapFile(unix.MAP_PRIVATE, all),
		"file-later":       protectFile(readOnly, readExec, false),
		"file-changed":     protectFile(readWrite, readExec, true),
		"unlinked-map":     mapUnlinked,
		"unlinked-exec":    execUnlinked,
		"never-linked":     execNeverLinked,
		"proc-own":         func([]string) error { return openOwn("self/environ", "thread-self/environ", "self/status") },
		"proc-parent":      func(args []string) error { return openFile([]string{parentIn("/proc", args[0])}) },
		"proc-list":        func([]string) error { _, err := os.ReadDir("/proc"); return err },
		"proc-reference":   openByReference,
		"proc-mounted":     openMounted,
		"proc-bound":       openBound,
		"proc-ring":        func(args []string) error { return ringOpen(parentIn("/proc", args[0])) },
		"proc-link":        func(args []string) error { _, err := os.Readlink(parentIn("/proc", args[0])); return err },
		"read-memory":      readMemory,
		"attach":           func([]string) error { return attach(os.Getppid()) },
		"take-descriptor":  takeDescriptor,
		"idle":             idle,
		"container":        container,
		"enter":            enter,
	}
}

func inMemory() (int, error) {
	fd, err := unix.MemfdCreate("worker", 0)
	if err != nil {
		return -1, err
	}
	_, err = unix.Write(fd, tinyProgram())
	return fd, err
}

func mapped(fd, prot, flags int) ([]byte, error) { return unix.Mmap(fd, 0, 1, prot, flags) }

func mapMemory(prot, flags int) error {
	fd, err := inMemory()
	if err != nil {
		return err
	}
	_, err = mapped(fd, prot, flags)
	return err
}

func mapAnonymous(prot, flags int) error {
	_, err := mapped(-1, prot, flags)
	return err
}

// protect maps what open opens, or nothing, writes to it if told so, and changes its protection.
func protect(open func() (int, error), prot, flags, then int, change bool) error {
	fd := -1
	if open != nil {
		var err error
		if fd, err = open(); err != nil {
			return err
		}
	}
	memory, err := mapped(fd, prot, flags)
	if err != nil {
		return errors.New("map first: " + err.Error())
	}
	if change {
		memory[0] = 0xc3
	}
	return unix.Mprotect(memory, then)
}

func attachShared([]string) error {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, 0o700|unix.IPC_CREAT)
	if err != nil {
		return err
	}
	defer func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) }()
	_, err = unix.SysvShmAttach(id, 0, shmExec)
	return err
}

func mapFile(flags, prot int) func([]string) error {
	return func(args []string) error {
		fd, err := unix.Open(args[0], unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		_, err = mapped(fd, prot, flags)
		return err
	}
}

func protectFile(prot, then int, change bool) func([]string) error {
	return func(args []string) error {
		open := func() (int, error) { return unix.Open(args[0], unix.O_RDWR, 0) }
		return protect(open, prot, unix.MAP_PRIVATE, then, change)
	}
}

func mapUnlinked(args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := unix.Unlink(args[0]); err != nil {
		return err
	}
	_, err = mapped(fd, readExec, unix.MAP_PRIVATE)
	return err
}

// execFile executes an open file by its descriptor; there is none whose writers are not gone.
func execFile(fd int) error {
	return exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd)).Run()
}

func execUnlinked(args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := unix.Unlink(args[0]); err != nil {
		return err
	}
	return execFile(fd)
}

func execNeverLinked(args []string) error {
	fd, err := unix.Open(args[0], unix.O_TMPFILE|unix.O_RDWR, 0o755)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, tinyProgram()); err != nil {
		return err
	}
	again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := unix.Close(fd); err != nil {
		return err
	}
	return execFile(again)
}

func execMemory(content string) error {
	fd, err := unix.MemfdCreate("worker", 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, []byte(content)); err != nil {
		return err
	}
	return execFile(fd)
}

// execEmptyPath executes memory without any path (execveat), in a process of its own: who succeeds is the new program.
func execEmptyPath(args []string) error {
	if len(args) == 0 {
		out, err := workerCommand("memory-handed", "now").Output()
		if err != nil || len(out) == 0 {
			return err
		}
		errno, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(out), "errno ")))
		return errors.Join(err, syscall.Errno(errno))
	}
	fd, err := inMemory()
	if err != nil {
		return err
	}
	empty, name := []byte{0}, []byte("tiny\x00")
	argv := []*byte{&name[0], nil}
	_, _, errno := unix.Syscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&argv[1])), unix.AT_EMPTY_PATH, 0)
	return errno
}

func openOwn(names ...string) error {
	names = append(names, fmt.Sprintf("self/task/%d/environ", unix.Gettid()))
	for _, name := range names {
		if err := openFile([]string{"/proc/" + name}); err != nil {
			return err
		}
	}
	return nil
}

// parentIn is a path below the parent's directory of a procfs; $ stands for its id.
func parentIn(proc, name string) string {
	id := strconv.Itoa(os.Getppid())
	return filepath.Join(proc, id, strings.ReplaceAll(name, "$", id))
}

// openByReference opens relative to a mere reference to the parent's directory, which nobody is asked about.
func openByReference(args []string) error {
	dir, err := unix.Open(parentIn("/proc", ""), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dir, args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func openMounted(args []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("proc", args[0], "proc", 0, ""); err != nil {
		return err
	}
	return openFile([]string{parentIn(args[0], args[1])})
}

func openBound(args []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount(parentIn("/proc", args[1]), args[0], "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return openFile(args[:1])
}

func readMemory([]string) error {
	local, remote := make([]byte, 8), unix.RemoteIovec{Base: 0x400000, Len: 8}
	iov := unix.Iovec{Base: &local[0]}
	iov.SetLen(len(local))
	_, err := unix.ProcessVMReadv(os.Getppid(), []unix.Iovec{iov}, []unix.RemoteIovec{remote}, 0)
	if errors.Is(err, unix.EFAULT) { // allowed, and nothing is there
		return nil
	}
	return err
}

func attach(pid int) error {
	runtime.LockOSThread()
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	return nil
}

func takeDescriptor([]string) error {
	pidfd, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		return err
	}
	fd, err := unix.PidfdGetfd(pidfd, 0, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// idle waits until standard input ends.
func idle([]string) error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// container is the first process of one: it executes a program of its own, says how that ended, and waits.
func container(args []string) error {
	if err := say(exec.Command(args[0]).Run()); err != nil {
		return err
	}
	return idle(nil)
}

func say(err error) error {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return err
	}
	_, err = fmt.Printf("errno %d\n", int(errno))
	return err
}

// enter starts a worker that idles in the pid namespace of a process and in a cgroup, as `kubectl exec` does, says how
// that ended, and waits. Without a cgroup it stays in its own.
func enter(args []string) error {
	runtime.LockOSThread()
	ns, err := os.Open("/proc/" + args[0] + "/ns/pid")
	if err != nil {
		return err
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWPID); err != nil {
		return err
	}
	cmd := workerCommand("idle")
	cmd.Stdin = os.Stdin
	if len(args) > 1 {
		cgroup, err := os.Open(args[1])
		if err != nil {
			return err
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	}
	started := cmd.Start()
	if err := say(started); err != nil || started != nil {
		return err
	}
	return cmd.Wait()
}
