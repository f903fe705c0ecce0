// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of bpf(2). The import rule keeps cilium/ebpf out of here, and these few calls only look.
const (
	programNext = 11
	mapNext     = 12
	mapOpen     = 14
)

// query is the part of union bpf_attr that these commands use.
type query struct {
	id, next, flags uint32
}

func bpf(command uintptr, q *query) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(q)), unsafe.Sizeof(*q))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// ids of all programs or maps in the kernel.
func ids(command uintptr) ([]uint32, error) {
	var all []uint32
	for q := (query{}); ; q.id = q.next {
		_, err := bpf(command, &q)
		if errors.Is(err, unix.ENOENT) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the kernel's BPF objects: %w", err)
		}
		all = append(all, q.next)
	}
}

func countPrograms() (int, error) {
	all, err := ids(programNext)
	return len(all), err
}

// mapBytes is the memory of all maps in the kernel.
func mapBytes() (uint64, error) {
	all, err := ids(mapNext)
	if err != nil {
		return 0, err
	}
	var total uint64
	for _, id := range all {
		fd, err := bpf(mapOpen, &query{id: id})
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("open map %d: %w", id, err)
		}
		info, err := fdinfo(strconv.Itoa(fd))
		unix.Close(fd)
		if err != nil {
			return 0, err
		}
		total += info["memlock"]
	}
	return total, nil
}

// settledMapBytes waits until maps that nobody uses any more are gone.
func settledMapBytes() (uint64, error) {
	last, err := mapBytes()
	for err == nil {
		time.Sleep(300 * time.Millisecond)
		var now uint64
		if now, err = mapBytes(); now == last {
			break
		}
		last = now
	}
	return last, err
}

// fdinfo is what the kernel tells about a descriptor, the numbers of it.
func fdinfo(fd string) (map[string]uint64, error) {
	text, err := os.ReadFile(filepath.Join("/proc/self/fdinfo", fd))
	if err != nil {
		return nil, err
	}
	return fields(string(text)), nil
}

// fields reads lines of a name, a colon and a number, and skips others.
func fields(text string) map[string]uint64 {
	found := map[string]uint64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		if n, err := strconv.ParseUint(words[0], 10, 64); err == nil {
			found[name] = n
		}
	}
	return found
}

// runs of a program since it was loaded, counted while the kernel's statistics are on.
type runs struct{ count, nanoseconds uint64 }

// programRuns are those of the programs that this process holds, by id.
func programRuns() (map[uint32]runs, error) {
	entries, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		return nil, err
	}
	all := map[uint32]runs{}
	for _, e := range entries {
		info, err := fdinfo(e.Name())
		if err != nil {
			continue // The descriptor of the listing itself is gone by now.
		}
		if id, ok := info["prog_id"]; ok {
			all[uint32(id)] = runs{info["run_cnt"], info["run_time_ns"]}
		}
	}
	return all, nil
}

// countRuns switches the kernel's statistics of programs on or off.
func countRuns(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	if err := os.WriteFile("/proc/sys/kernel/bpf_stats_enabled", []byte(value), 0); err != nil {
		return fmt.Errorf("switch statistics of BPF programs: %w", err)
	}
	return nil
}
