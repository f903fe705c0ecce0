// SPDX-License-Identifier: Apache-2.0

package binaries

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// stampFile maps each program of a folder to the fingerprint that it was built from.
const stampFile = ".stamps.json"

// ldflags strip the programs and stamp Kubernetes' version, which they otherwise report as v0.0.0-master.
func ldflags() string {
	const variable = " -X k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(Version, "v"), ".", 3)
	return "-s -w" + variable + "gitVersion=" + Version + variable + "gitMajor=" + parts[0] +
		variable + "gitMinor=" + parts[1] + variable + "gitTreeState=clean"
}

func moduleDir(root string) string { return filepath.Join(root, "test", "testbed", "kube") }

// fingerprint changes with the module's requirements, the flags and the Go release.
func fingerprint(ctx context.Context, root string) (string, error) {
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(moduleDir(root), name))
		if err != nil {
			return "", fmt.Errorf("read the module of the control plane: %w", err)
		}
		hash.Write(content)
	}
	release, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("ask Go for its release: %w", err)
	}
	hash.Write(release)
	hash.Write([]byte(ldflags()))
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// compile runs one `go build` for programs of one architecture and reports each as its file appears.
func compile(ctx context.Context, log *progress.Log, root string, list []program) error {
	dir := Dir(root, list[0].arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	output := dir + string(filepath.Separator)
	if list[0].name == "etcd" {
		output = filepath.Join(dir, "etcd")
	}
	args := []string{"build", "-v", "-trimpath", "-ldflags", ldflags(), "-o", output}
	for _, p := range list {
		args = append(args, p.pkg)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = moduleDir(root)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+list[0].arch, "GOFLAGS=-mod=readonly")
	return watch(log, list, dir, cmd)
}

// watch runs a `go build -v`, whose standard error names each package as it is compiled.
func watch(log *progress.Log, list []program, dir string, cmd *exec.Cmd) error {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	begun := time.Now()
	log.Printf("kube %s: building %s", list[0].arch, names(list))
	if err := cmd.Start(); err != nil {
		return err
	}
	var packages atomic.Int64
	var said bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		countPackages(stderr, &packages, &said)
	}()
	report(log, list, dir, begun, &packages, read)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, bytes.TrimSpace(said.Bytes()))
	}
	log.Printf("kube %s: built %s in %.0f s", list[0].arch, names(list), time.Since(begun).Seconds())
	return nil
}

// countPackages reads the names of packages and keeps what is not one: the compiler's complaints.
func countPackages(r io.Reader, packages *atomic.Int64, said *bytes.Buffer) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if line := lines.Text(); strings.ContainsAny(line, " \t") {
			said.WriteString(line + "\n")
			continue
		}
		packages.Add(1)
	}
}

func report(log *progress.Log, list []program, dir string, begun time.Time, packages *atomic.Int64, done <-chan struct{}) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	pending := slices.Clone(list)
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		pending = slices.DeleteFunc(pending, func(p program) bool {
			info, err := os.Stat(filepath.Join(dir, p.name))
			return err == nil && info.ModTime().After(begun)
		})
		log.Printf("kube %s: %d packages compiled, still to come: %s", list[0].arch, packages.Load(), names(pending))
	}
}

func readStamps(dir string) (map[string]string, error) {
	stamps := map[string]string{}
	content, err := os.ReadFile(filepath.Join(dir, stampFile))
	if errors.Is(err, fs.ErrNotExist) {
		return stamps, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, &stamps); err != nil {
		return nil, fmt.Errorf("%s is not what this program wrote; remove it: %w", filepath.Join(dir, stampFile), err)
	}
	return stamps, nil
}

func writeStamps(dir string, stamps map[string]string) error {
	content, err := json.MarshalIndent(stamps, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stampFile), append(content, '\n'), 0o644)
}
