// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
)

// attached is a core in force, with a reader of its events as the agent has one.
type attached struct {
	core   *sensor.Core
	stop   context.CancelFunc
	ended  chan error
	events atomic.Int64
	opened time.Duration
}

// attach opens a core, puts the set in force and reads its events.
func attach(ctx context.Context, set compile.Set) (*attached, error) {
	begun := time.Now()
	core, err := sensor.Open(ctx, sensor.Options{Mode: sensor.ModeEnforce})
	if err != nil {
		return nil, err
	}
	a := &attached{core: core, ended: make(chan error, 1), opened: time.Since(begun)}
	if err := core.Apply(ctx, set); err != nil {
		return nil, errors.Join(err, core.Close())
	}
	reading, stop := context.WithCancel(ctx)
	a.stop = stop
	go func() { a.ended <- core.Run(reading, func(sensor.Event) { a.events.Add(1) }) }()
	return a, nil
}

// detach takes the core off and waits until the kernel has no program more than before.
func (a *attached) detach(programs int) error {
	a.stop()
	err := errors.Join(<-a.ended, a.core.Close())
	for end := time.Now().Add(30 * time.Second); err == nil; time.Sleep(20 * time.Millisecond) {
		left, countErr := countPrograms()
		switch {
		case countErr != nil:
			return countErr
		case left <= programs:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("%d programs are left in the kernel after the core was closed; there were %d before", left, programs)
		}
	}
	return err
}

// cgroups of the settings. Their parent and level are the same, and nothing else runs in them.
type cgroups struct {
	folders map[string]string
	ids     map[string]compile.Cgroup
}

func makeCgroups(names ...string) (cgroups, error) {
	c := cgroups{folders: map[string]string{}, ids: map[string]compile.Cgroup{}}
	for i, name := range names {
		place := filepath.Join("bench", strconv.Itoa(i))
		c.folders[name] = filepath.Join(cgroup.Top, place)
		if err := os.MkdirAll(c.folders[name], 0o755); err != nil {
			return c, fmt.Errorf("make cgroup: %w", err)
		}
		id, err := cgroup.At(cgroup.Top, place)
		if err != nil {
			return c, err
		}
		c.ids[name] = id
	}
	return c, nil
}

// move puts a process into the cgroup of a setting.
func (c cgroups) move(pid int, setting string) error {
	if err := os.WriteFile(filepath.Join(c.folders[setting], "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		return fmt.Errorf("move worker to the cgroup of %q: %w", setting, err)
	}
	return nil
}

// cgroupOf is the setting whose cgroup a setting uses. Without an agent it is the one that has no policy either.
func cgroupOf(setting string) string {
	if setting == report.SettingNone || setting == report.SettingAgain {
		return report.SettingUnpoliced
	}
	return setting
}
