// SPDX-License-Identifier: Apache-2.0

// Package vm boots QEMU virtual machines, and runs one command in one.
package vm

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
)

// Machine is what a virtual machine is made of.
type Machine struct {
	// Name is the machine's hostname.
	Name   string
	Kernel kernel.Kernel
	// LSM is the kernel's lsm= parameter. Empty leaves the choice to the kernel.
	LSM string
	// CPUs and MemoryMiB are 1 and 1024 if zero.
	CPUs, MemoryMiB int
	// Initrd is the initramfs, see package rootfs.
	Initrd string
	// Disks are ext4 images: /dev/vda, /dev/vdb and so on. What the machine writes to them is lost with the machine.
	Disks []string
	// Append holds more words for the kernel's command line, such as init=/sbin/init or root=/dev/vda.
	Append []string
	// Console receives what the kernel and init print. Nil drops it.
	Console io.Writer
	// KVM uses the host's virtualization. See Accelerated.
	KVM bool
	// Ports are virtio-serial ports that the machine writes to, by name.
	Ports map[string]io.Writer
}

// mount adds a disk that is mounted on a folder before the machine's init= runs.
func (m *Machine) mount(image, folder string) {
	m.Append = append(m.Append, fmt.Sprintf("testbed.mount=/dev/vd%c:%s", 'a'+len(m.Disks), folder))
	m.Disks = append(m.Disks, image)
}

// binary is the emulator for the machine's architecture.
func (m Machine) binary() string {
	if m.Kernel.Arch == "arm64" {
		return "qemu-system-aarch64"
	}
	return "qemu-system-x86_64"
}

// cmdline is the kernel's command line. A panic reboots at once, which ends a machine that may not reboot.
func (m Machine) cmdline() string {
	// Emulated by a busy host, the timer may be too late for the kernel's check of it, which then panics.
	words := []string{"console=ttyS0", "no_timer_check"}
	if m.Kernel.Arch == "arm64" {
		words = []string{"console=ttyAMA0"}
	}
	words = append(words, "quiet", "panic=-1")
	if m.LSM != "" {
		words = append(words, "lsm="+m.LSM)
	}
	if m.Name != "" {
		words = append(words, "testbed.hostname="+m.Name)
	}
	return strings.Join(append(words, m.Append...), " ")
}

// arguments of QEMU, which inherits one pipe for each port.
func (m Machine) arguments(ports []string) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-smp", strconv.Itoa(max(m.CPUs, 1)),
		"-m", strconv.Itoa(m.memory()),
		"-kernel", m.Kernel.Image,
		"-initrd", m.Initrd,
		"-append", m.cmdline(),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-device", "virtio-rng-pci",
	}
	args = append(args, Platform(m.Kernel.Arch, m.KVM)...)
	args = append(args, portArguments(ports)...)
	for i, disk := range m.Disks {
		args = append(args, "-drive", fmt.Sprintf("if=none,id=disk%d,format=raw,snapshot=on,file=%s", i, escape(disk)),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d", i))
	}
	return args
}

func (m Machine) memory() int {
	if m.MemoryMiB == 0 {
		return 1024
	}
	return m.MemoryMiB
}

// Platform is what QEMU emulates: the board, the processor, and whether the host's own runs it.
func Platform(arch string, kvm bool) []string {
	// Where a CPU has ERMS, kernel and Go clear and move memory with string instructions, which QEMU emulates byte by byte:
	// with it, loading the core takes half as long again.
	board, cpu := "pc", "max,erms=off,fsrm=off"
	if arch == "arm64" {
		// Authenticated pointers and wide vectors cost each function and each switch of tasks, and nothing here is about them.
		board, cpu = "virt", "max,pauth=off,sve=off"
	}
	if kvm {
		return []string{"-machine", board, "-cpu", "host", "-accel", "kvm"}
	}
	return []string{"-machine", board, "-cpu", cpu, "-accel", "tcg,thread=multi"}
}

// firstFD is the first descriptor after the standard ones that a child inherits.
const firstFD = 3

func portArguments(ports []string) []string {
	if len(ports) == 0 {
		return nil
	}
	args := []string{"-device", "virtio-serial-pci"}
	for i, name := range ports {
		fd := firstFD + i
		args = append(args,
			"-chardev", fmt.Sprintf("file,id=port%d,path=/dev/fd/%d", i, fd),
			"-device", fmt.Sprintf("virtserialport,chardev=port%d,nr=%d,name=%s", i, i+1, name))
	}
	return args
}

// escape doubles commas, which separate QEMU's options.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// check finds what QEMU would explain badly.
func (m Machine) check() error {
	for _, file := range append([]string{m.Kernel.Image, m.Initrd}, m.Disks...) {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	if m.memory() < 128 {
		return fmt.Errorf("machine %s: %d MiB of memory: a machine needs 128 or more", m.Name, m.memory())
	}
	return checkLSM(m.LSM)
}

// checkLSM finds misspelt names, which the kernel ignores without a word. A name that only some kernels know is fine.
func checkLSM(list string) error {
	known := []string{
		"apparmor", "bpf", "capability", "evm", "ima", "integrity", "ipe", "landlock", "loadpin", "lockdown",
		"safesetid", "selinux", "smack", "tomoyo", "yama",
	}
	for name := range strings.SplitSeq(list, ",") {
		if list != "" && !slices.Contains(known, name) {
			return fmt.Errorf("unknown LSM %q in %q: use names of %s, with commas between them", name, list, strings.Join(known, ", "))
		}
	}
	return nil
}
