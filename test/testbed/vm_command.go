// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/kernel"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
	"github.com/kubearmor/kubearmor-operator/test/testbed/vm"
)

type vmFlags struct {
	command         vm.Command
	rootfs          string
	files           []string
	binaries, cache string
}

func vmCommand() *cobra.Command {
	flags := &vmFlags{}
	command := &cobra.Command{
		Use:   "vm [flags] -- COMMAND",
		Short: "Run one command in one small virtual machine",
		Long: `Run one command in one virtual machine with a kernel of Debian's, and exit with its status.

The command's standard output is ours, alone. Its standard error, what the kernel prints and what we have to say go to our standard
error. The machine exists for this command only. Exit status 125 means that the machine failed, not the command.

One argument is a shell command line; several are quoted and joined. It runs as root, in the root cgroup, and what it leaves running
ends with it. The project's binaries are on the PATH. Kernels and userlands stay in the cache; remove its folders kernel or debian to
get the newest again.`,
		Example: `  testbed vm --kernel 6.1 --arch arm64 --lsm landlock,lockdown,yama,integrity,apparmor,bpf -- 'cat /sys/kernel/security/lsm'`,
		Args: func(_ *cobra.Command, args []string) error {
			if strings.TrimSpace(strings.Join(args, "")) == "" {
				return &exitError{code: vm.FailedExit, err: errors.New("no command to run: write it after --, or with make vm as CMD='…'")}
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			return flags.run(command, args)
		},
	}
	set := command.Flags()
	set.StringVar(&flags.command.KernelVersion, "kernel", "6.12", "kernel line: "+strings.Join(kernel.Versions(), ", "))
	set.StringVar(&flags.command.Arch, "arch", runtime.GOARCH, "architecture: "+strings.Join(kernel.Arches(), ", "))
	set.StringVar(&flags.command.LSM, "lsm", "", "what follows lsm= on the kernel's command line; empty is the kernel's default")
	set.StringVar(&flags.rootfs, "rootfs", "small", "userland: small (busybox) or debian")
	set.IntVar(&flags.command.CPUs, "cpus", 1, "number of processors")
	set.IntVar(&flags.command.MemoryMiB, "memory", 0, "memory in MiB; 0 is enough for what is copied in")
	set.StringArrayVar(&flags.files, "files", nil, "files and folders, separated by spaces, that appear at the same absolute paths inside")
	set.StringSliceVar(&flags.command.Modules, "modules", nil, "kernel modules to load first, with what they need")
	set.StringVar(&flags.binaries, "bin", "bin", "folder whose amd64 and arm64 folders hold the binaries for the PATH")
	set.StringVar(&flags.cache, "cache", ".cache/testbed", "folder for downloads and images")
	set.DurationVar(&flags.command.Timeout, "timeout", 10*time.Minute, "time limit of the whole run, from power-on")
	return command
}

func (f *vmFlags) run(command *cobra.Command, args []string) error {
	code, err := f.boot(command, args)
	if err != nil {
		return &exitError{code: vm.FailedExit, err: err}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

func (f *vmFlags) boot(command *cobra.Command, args []string) (int, error) {
	store, err := cache.Open(f.cache, progress.New(os.Stderr))
	if err != nil {
		return vm.FailedExit, err
	}
	run := f.command
	run.Cache = store
	run.Line = vm.ShellLine(args)
	switch f.rootfs {
	case "small":
	case "debian":
		run.Debian = true
	default:
		return vm.FailedExit, errors.New("unknown --rootfs " + f.rootfs + ": use small or debian")
	}
	for _, list := range f.files {
		run.Files = append(run.Files, strings.Fields(list)...)
	}
	if run.Binaries, err = productBinaries(filepath.Join(f.binaries, run.Arch)); err != nil {
		return vm.FailedExit, err
	}
	run.Stdout, run.Stderr, run.Console = os.Stdout, os.Stderr, os.Stderr
	return run.Run(command.Context())
}

// productBinaries are those of the project's that have been built.
func productBinaries(dir string) ([]string, error) {
	var found []string
	for _, name := range []string{"agent", "karmor", "operator", "relay"} {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			found = append(found, file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return found, nil
}
