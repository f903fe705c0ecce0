// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// maxFile bounds what is read of any file: nothing that a fact needs is longer.
const maxFile = 64 << 10

// answer is what reading a file gave.
type answer struct {
	text string
	err  error
}

func read(fsys fs.FS, name string) answer {
	f, err := fsys.Open(name)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	return answer{text: string(b), err: err}
}

// word is a file's only line, empty when it cannot be read.
func word(fsys fs.FS, name string) string {
	return strings.TrimSpace(read(fsys, name).text)
}

func parseLSMs(line string) []string {
	if line == "" {
		return nil
	}
	return strings.Split(line, ",")
}

// readBTF reads the header alone: the whole is several megabytes.
func readBTF(sys fs.FS) answer {
	f, err := sys.Open("kernel/btf/vmlinux")
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 2)
	if _, err := io.ReadFull(f, head); err != nil {
		return answer{err: err}
	}
	return answer{text: string(head)}
}

// parseBTF knows BTF by its magic number, in the machine's own byte order (Documentation/bpf/btf.rst).
func parseBTF(a answer) v1.Fact {
	switch {
	case errors.Is(a.err, fs.ErrNotExist):
		return no(v1.ReasonNoBTF, "/sys/kernel/btf/vmlinux does not exist")
	case a.err != nil:
		return unknown(v1.ReasonUnreadable, a.err.Error())
	case a.text == "\x9f\xeb" || a.text == "\xeb\x9f":
		return yes()
	}
	return no(v1.ReasonNoBTF, fmt.Sprintf("/sys/kernel/btf/vmlinux starts with %x, not with BTF's magic number", a.text))
}

func readSeccomp(proc fs.FS) answer {
	return read(proc, "sys/kernel/seccomp/actions_avail")
}

func parseSeccomp(a answer) v1.Fact {
	switch {
	case errors.Is(a.err, fs.ErrNotExist):
		return no(v1.ReasonNotPresent, "/proc/sys/kernel/seccomp does not exist: the kernel is built without seccomp filters")
	case a.err != nil:
		return unknown(v1.ReasonUnreadable, a.err.Error())
	}
	if slices.Contains(strings.Fields(a.text), "errno") {
		return yes()
	}
	return no(v1.ReasonNotPresent, "seccomp offers only: "+strings.TrimSpace(a.text))
}

func readSELinux(sys fs.FS) answer {
	return read(sys, "fs/selinux/enforce")
}

// parseSELinux separates a kernel without SELinux from one whose selinuxfs this process does not see.
func parseSELinux(a answer, lsms []string) v1.SELinuxFact {
	active := slices.Contains(lsms, "selinux")
	switch strings.TrimSpace(a.text) {
	case "1":
		return v1.SELinuxFact{Fact: yes(), Mode: "enforcing"}
	case "0":
		return v1.SELinuxFact{Fact: no(v1.ReasonNotEnforcing, "SELinux is permissive"), Mode: "permissive"}
	}
	switch missing := errors.Is(a.err, fs.ErrNotExist); {
	case missing && active:
		return v1.SELinuxFact{Fact: unknown(v1.ReasonNotPresent, "selinux is among the active LSMs, and no selinuxfs is mounted at /sys/fs/selinux")}
	case missing && len(lsms) > 0:
		return v1.SELinuxFact{Fact: no(v1.ReasonLSMInactive, "selinux is not among the active LSMs"), Mode: "disabled"}
	case missing:
		return v1.SELinuxFact{Fact: unknown(v1.ReasonNotPresent, "neither /sys/fs/selinux nor the list of active LSMs can be seen")}
	case a.err != nil:
		return v1.SELinuxFact{Fact: unknown(v1.ReasonUnreadable, a.err.Error())}
	}
	return v1.SELinuxFact{Fact: unknown(v1.ReasonUnreadable, fmt.Sprintf("/sys/fs/selinux/enforce says %q", a.text))}
}

func readAppArmorFS(sys fs.FS) v1.Fact {
	_, err := fs.Stat(sys, "kernel/security/apparmor")
	switch {
	case err == nil:
		return yes()
	case errors.Is(err, fs.ErrNotExist):
		return no(v1.ReasonNotPresent, "/sys/kernel/security/apparmor does not exist")
	}
	return unknown(v1.ReasonUnreadable, err.Error())
}

// distribution is the host's, not the container's: the root folder of process 1 where this process may look into it.
func distribution(o Options) v1.Distribution {
	if root, err := os.OpenRoot(o.Roots.Proc + "/1/root"); err == nil {
		defer func() { _ = root.Close() }()
		if d := readDistribution(root.FS()); d != (v1.Distribution{}) {
			return d
		}
	}
	if o.Container {
		return v1.Distribution{}
	}
	return readDistribution(os.DirFS("/"))
}

func readDistribution(root fs.FS) v1.Distribution {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		if a := read(root, name); a.err == nil {
			return parseDistribution(a.text)
		}
	}
	return v1.Distribution{}
}

// parseDistribution reads os-release(5): shell assignments, values quoted or not.
func parseDistribution(text string) v1.Distribution {
	values := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if ok && !strings.HasPrefix(key, "#") {
			values[key] = unquote(value)
		}
	}
	if values["ID"] == "" && values["PRETTY_NAME"] == "" {
		return v1.Distribution{}
	}
	if values["ID"] == "" {
		values["ID"] = "linux" // os-release(5): the default
	}
	return v1.Distribution{ID: values["ID"], VersionID: values["VERSION_ID"], Name: values["PRETTY_NAME"]}
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return strings.Trim(s, `"`)
}
