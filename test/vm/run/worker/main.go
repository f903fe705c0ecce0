// SPDX-License-Identifier: Apache-2.0

// Command worker does what a script says inside of a machine: it prepares the files of each run, starts karmor run with
// itself as the command, and there attempts each operation in a process of its own.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/vm/run/script"
)

// quit makes a copy of the worker that a test executes do nothing.
const quit = "WORKER_QUIT"

func main() {
	if os.Getenv(quit) != "" {
		return
	}
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func dispatch(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: worker run SCRIPT | drive OPERATIONS | attempt OPERATION")
	}
	switch args[0] {
	case "run":
		return runScript(args[1])
	case "drive":
		return drive(args[1])
	case "attempt":
		return attempt(args[1])
	default:
		return fmt.Errorf("%q is unknown", args[0])
	}
}

// runScript does one run after the other, and prints a report of each.
func runScript(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var runs []script.Run
	if err := json.Unmarshal(text, &runs); err != nil {
		return err
	}
	for _, r := range runs {
		begun := time.Now()
		report, err := karmorRun(r)
		fmt.Fprintf(os.Stderr, "worker: %s took %.1f s\n", r.Name, time.Since(begun).Seconds())
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
			return err
		}
	}
	return nil
}

func karmorRun(r script.Run) (script.Report, error) {
	report := script.Report{Name: r.Name}
	for _, op := range r.Operations {
		if err := prepare(op); err != nil {
			return report, fmt.Errorf("prepare %s of %s: %w", op.Op, op.Path, err)
		}
	}
	operations, err := json.Marshal(r.Operations)
	if err != nil {
		return report, err
	}
	alerts := filepath.Join(os.TempDir(), "alerts.json")
	if err := os.RemoveAll(alerts); err != nil {
		return report, err
	}
	before := leftovers()
	var out, notes strings.Builder
	command := exec.Command("karmor", append(append([]string{"run", "--alerts", alerts}, r.Flags...), "--", script.Worker, "drive", string(operations))...)
	command.Stdout, command.Stderr = &out, &notes
	if err := command.Run(); err != nil && command.ProcessState == nil {
		return report, err
	}
	report.Code, report.Notes = command.ProcessState.ExitCode(), notes.String()
	for place := range leftovers() {
		if !before[place] {
			report.LeftBehind = append(report.LeftBehind, place)
		}
	}
	if err := eachLine(out.String(), func(line []byte) error {
		var result script.Result
		err := json.Unmarshal(line, &result)
		report.Results = append(report.Results, result)
		return err
	}); err != nil {
		return report, fmt.Errorf("read results: %w in %q", err, out.String())
	}
	written, err := os.ReadFile(alerts)
	if err != nil {
		return report, err
	}
	return report, eachLine(string(written), func(line []byte) error {
		report.Alerts = append(report.Alerts, line)
		return nil
	})
}

func eachLine(text string, do func(line []byte) error) error {
	for line := range strings.Lines(text) {
		if err := do([]byte(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// leftovers are all cgroups and pins of the machine.
func leftovers() map[string]bool {
	found := map[string]bool{}
	for _, top := range []string{"/sys/fs/cgroup", "/sys/fs/bpf"} {
		_ = filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
			if err == nil && (d.IsDir() || top == "/sys/fs/bpf") {
				found[name] = true
			}
			return nil
		})
	}
	return found
}

// drive attempts operations, each in a process of the executable that is to be its source, and prints what they report.
func drive(text string) error {
	var operations []script.Operation
	if err := json.Unmarshal([]byte(text), &operations); err != nil {
		return err
	}
	for _, op := range operations {
		one, err := json.Marshal(op)
		if err != nil {
			return err
		}
		source := op.Source
		if source == "" {
			source = script.Worker
		}
		command := exec.Command(source, "attempt", string(one))
		command.Stdin, command.Stderr = os.Stdin, os.Stderr // none of ours: /dev/null might be denied
		out, err := command.Output()
		if len(out) == 0 {
			out, err = json.Marshal(script.Result{Problem: fmt.Sprintf("the source did not run: %v", err)})
			if err != nil {
				return err
			}
			out = append(out, '\n')
		}
		if _, err := os.Stdout.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// attempt does one operation in this process.
func attempt(text string) error {
	var op script.Operation
	if err := json.Unmarshal([]byte(text), &op); err != nil {
		return err
	}
	result := script.Result{PID: os.Getpid()}
	if err := become(op); err != nil {
		result.Problem = err.Error()
	} else {
		judge(&result, do(op))
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// judge says how an operation ended.
func judge(r *script.Result, err error) {
	var errno syscall.Errno
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &errno):
		r.Errno = int(errno)
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		r.Killed = true
	default:
		r.Problem = err.Error()
	}
}
