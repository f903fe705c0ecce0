// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// hostFiles are /sys and /proc of a node where everything is there.
func hostFiles() (sys, proc fstest.MapFS) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	sys = fstest.MapFS{
		"kernel/security/lsm":               file("lockdown,capability,landlock,yama,apparmor,bpf"),
		"kernel/security/apparmor/profiles": file(""),
		"kernel/btf/vmlinux":                file("\x9f\xeb\x01\x00"),
	}
	proc = fstest.MapFS{
		"sys/kernel/osrelease":             file("6.12.117+deb12-cloud-amd64\n"),
		"sys/kernel/random/boot_id":        file("8df6fe46-08c8-4cfe-8d17-834333b6d611\n"),
		"sys/kernel/seccomp/actions_avail": file("kill_process kill_thread trap errno user_notif trace log allow\n"),
		"self/mounts": file("proc /proc proc rw 0 0\nsysfs /host/sys sysfs ro 0 0\ncgroup2 /host/sys/fs/cgroup cgroup2 rw 0 0\n" +
			"bpf /host/sys/fs/bpf bpf rw 0 0\nsecurityfs /host/sys/kernel/security securityfs rw 0 0\n"),
	}
	return sys, proc
}

func TestStaticFacts(t *testing.T) {
	ok := v1.Fact{State: v1.FactYes}
	whole := v1.NodeFacts{
		SchemaVersion: v1.FactsSchemaVersion,
		BootID:        "8df6fe46-08c8-4cfe-8d17-834333b6d611",
		Kernel:        "6.12.117+deb12-cloud-amd64",
		Arch:          runtime.GOARCH,
		LSMs:          []string{"lockdown", "capability", "landlock", "yama", "apparmor", "bpf"},
		BTF:           ok, Seccomp: ok, BPFFS: ok, SecurityFS: ok, AppArmorFS: ok,
		SELinux:       v1.SELinuxFact{Fact: no(v1.ReasonLSMInactive, "selinux is not among the active LSMs"), Mode: "disabled"},
		CgroupVersion: 2,
	}
	tests := []struct {
		name   string
		change func(sys, proc fstest.MapFS)
		want   func(*v1.NodeFacts)
	}{
		{"a node where everything is there", func(_, _ fstest.MapFS) {}, func(*v1.NodeFacts) {}},
		{
			"without BTF", func(sys, _ fstest.MapFS) { delete(sys, "kernel/btf/vmlinux") },
			func(f *v1.NodeFacts) { f.BTF = no(v1.ReasonNoBTF, "/sys/kernel/btf/vmlinux does not exist") },
		},
		{
			"with something else where BTF should be", func(sys, _ fstest.MapFS) { sys["kernel/btf/vmlinux"].Data = []byte("ELF!") },
			func(f *v1.NodeFacts) {
				f.BTF = no(v1.ReasonNoBTF, "/sys/kernel/btf/vmlinux starts with 454c, not with BTF's magic number")
			},
		},
		{
			"without seccomp", func(_, proc fstest.MapFS) { delete(proc, "sys/kernel/seccomp/actions_avail") },
			func(f *v1.NodeFacts) {
				f.Seccomp = no(v1.ReasonNotPresent, "/proc/sys/kernel/seccomp does not exist: the kernel is built without seccomp filters")
			},
		},
		{
			"on cgroup v1, without bpffs, with another file system in securityfs' place", func(_, proc fstest.MapFS) {
				proc["self/mounts"].Data = []byte("tmpfs /host/sys/fs/cgroup tmpfs ro 0 0\ncgroup /host/sys/fs/cgroup/cpu cgroup rw 0 0\n" +
					"tmpfs /host/sys/kernel/security tmpfs rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n")
			},
			func(f *v1.NodeFacts) {
				f.CgroupVersion = 1
				f.BPFFS = no(v1.ReasonNoBPFFS, "nothing is mounted at /host/sys/fs/bpf")
				f.SecurityFS = no(v1.ReasonNotPresent, "tmpfs is mounted at /host/sys/kernel/security, not securityfs")
			},
		},
		{
			"where the mounts cannot be read nothing is denied", func(_, proc fstest.MapFS) { delete(proc, "self/mounts") },
			func(f *v1.NodeFacts) {
				f.CgroupVersion = 0
				f.BPFFS = unknown(v1.ReasonUnreadable, "open self/mounts: file does not exist")
				f.SecurityFS = f.BPFFS
			},
		},
		{
			"with SELinux enforcing", func(sys, _ fstest.MapFS) {
				sys["kernel/security/lsm"].Data = []byte("capability,selinux,bpf")
				sys["fs/selinux/enforce"] = &fstest.MapFile{Data: []byte("1")}
			},
			func(f *v1.NodeFacts) {
				f.LSMs = []string{"capability", "selinux", "bpf"}
				f.SELinux = v1.SELinuxFact{Fact: ok, Mode: "enforcing"}
			},
		},
		{
			"with SELinux permissive", func(sys, _ fstest.MapFS) { sys["fs/selinux/enforce"] = &fstest.MapFile{Data: []byte("0")} },
			func(f *v1.NodeFacts) {
				f.SELinux = v1.SELinuxFact{Fact: no(v1.ReasonNotEnforcing, "SELinux is permissive"), Mode: "permissive"}
			},
		},
		{
			"with SELinux active and its file system out of sight", func(sys, _ fstest.MapFS) { sys["kernel/security/lsm"].Data = []byte("selinux") },
			func(f *v1.NodeFacts) {
				f.LSMs = []string{"selinux"}
				f.SELinux = v1.SELinuxFact{Fact: unknown(v1.ReasonNotPresent, "selinux is among the active LSMs, and no selinuxfs is mounted at /sys/fs/selinux")}
			},
		},
		{
			"where the LSMs cannot be read SELinux is unknown", func(sys, _ fstest.MapFS) {
				delete(sys, "kernel/security/lsm")
				delete(sys, "kernel/security/apparmor/profiles")
			},
			func(f *v1.NodeFacts) {
				f.LSMs = nil
				f.SELinux = v1.SELinuxFact{Fact: unknown(v1.ReasonNotPresent, "neither /sys/fs/selinux nor the list of active LSMs can be seen")}
				f.AppArmorFS = no(v1.ReasonNotPresent, "/sys/kernel/security/apparmor does not exist")
			},
		},
		{
			"without a kernel release or a boot ID", func(_, proc fstest.MapFS) {
				delete(proc, "sys/kernel/osrelease")
				delete(proc, "sys/kernel/random/boot_id")
			},
			func(f *v1.NodeFacts) { f.Kernel, f.BootID = "unknown", "" },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sys, proc := hostFiles()
			tt.change(sys, proc)
			want := whole
			tt.want(&want)
			got := static(Options{Roots: Roots{Sys: "/host/sys", Run: "/host/run", Proc: "/proc"}}, sys, proc)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDistribution(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  v1.Distribution
	}{
		{"Debian", map[string]string{"etc/os-release": "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"}, v1.Distribution{ID: "debian", VersionID: "12", Name: "Debian GNU/Linux 12 (bookworm)"}},
		{"single quotes, comments and escapes", map[string]string{"etc/os-release": "# ID=no\nID='ol'\nVERSION_ID=8.10\nPRETTY_NAME=\"Oracle \\\"Linux\\\" 8\"\n"}, v1.Distribution{ID: "ol", VersionID: "8.10", Name: `Oracle "Linux" 8`}},
		{"only the vendor's file", map[string]string{"usr/lib/os-release": "ID=bottlerocket\nVERSION_ID=1.57.0\n"}, v1.Distribution{ID: "bottlerocket", VersionID: "1.57.0"}},
		{"the administrator's file wins", map[string]string{"etc/os-release": "ID=a\n", "usr/lib/os-release": "ID=b\n"}, v1.Distribution{ID: "a"}},
		{"no ID is linux", map[string]string{"etc/os-release": "PRETTY_NAME=Homemade\n"}, v1.Distribution{ID: "linux", Name: "Homemade"}},
		{"no file", nil, v1.Distribution{}},
		{"a file without sense", map[string]string{"etc/os-release": strings.Repeat("=\n", 10)}, v1.Distribution{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if diff := cmp.Diff(tt.want, readDistribution(root)); diff != "" {
				t.Errorf("distribution (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseMountsUnderstandsEscapes(t *testing.T) {
	got := parseMounts("x /a\\040b tmpfs rw 0 0\nbroken\ny /c ext4 rw 0 0\nz /c bpf rw 0 0\n")
	want := map[string]string{"/a b": "tmpfs", "/c": "bpf"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}
