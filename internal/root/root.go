// SPDX-License-Identifier: Apache-2.0

// Package root resolves paths as the processes do that have a certain directory as their root: a container's, or one that
// is to become an image. Nothing outside of that directory is ever looked at, whatever its symlinks say.
package root

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	securejoin "github.com/cyphar/filepath-securejoin"
)

const (
	// idle is how long the directory stays open after the last question: an open one keeps the file system of a
	// container that ended from being unmounted.
	idle = time.Second
	// patience with one look at a file system. A container may have mounted one that never answers.
	patience = 2 * time.Second
	// glance is how often the kubelet's links are looked at, whoever asks.
	glance = time.Second
)

// ErrStuck says that a file system below the root does not answer. Until it does, the root resolves nothing new.
var ErrStuck = errors.New("a file system below it does not answer")

// Root is a directory that is "/" to some processes. It remembers its answers: what a path meant when it was first asked
// for, it means from then on, so that a container cannot move away what a policy names. Only the links that the kubelet
// moves, when it updates a Secret, ConfigMap or token, are followed anew. It is safe for concurrent use.
type Root struct {
	open func() (*os.File, error)

	mu    sync.Mutex
	dir   *os.File
	close *time.Timer
	// waiting is for the answer of a file system that has lost our patience.
	waiting <-chan entry
	// same are the paths that are no symlinks, others those that are, with what is behind them. known are the folders
	// and the symlinks that were on the way.
	same   map[string]struct{}
	others map[string]string
	known  map[string]entry
	// moving are the kubelet's links, with what they said last; past, what the paths meant that lead over one of them;
	// isMoving says that the path at hand does.
	moving, past map[string]string
	isMoving     bool
	// glanced is when the links were looked at the last time.
	glanced time.Time
}

// New makes a root of the directory that open opens, with O_PATH or for reading. It is opened when it is needed.
func New(open func() (*os.File, error)) *Root {
	return &Root{
		open: open,
		same: map[string]struct{}{}, others: map[string]string{}, known: map[string]entry{},
		moving: map[string]string{}, past: map[string]string{},
	}
}

// Directory is the root of a folder of this process's own file system.
func Directory(dir string) *Root {
	return New(func() (*os.File, error) { return openPath(dir) })
}

// Check opens the directory, and says why that is not possible.
func (r *Root) Check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready()
}

// Resolve gives the object that a path leads to, after all symlinks on the way and at its end: an absolute path of the
// root, which ends in "/" if path does. What does not exist is kept as it is written. It gives path itself where nothing
// can be told: the directory is gone, symlinks form a loop, or a file system does not answer.
//
// multiCall says that the object is a program that acts by the name it is called by (busybox), and that path is another
// name of it: a rule on the object would hold for every other name too.
func (r *Root) Resolve(path string) (object string, multiCall bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name, isFolder := strings.CutSuffix(path, "/")
	object, err := r.resolve(name)
	if err != nil {
		return path, false
	}
	if isFolder && object != "/" {
		return object + "/", false
	}
	return object, isMultiCall(name, object)
}

func (r *Root) resolve(name string) (string, error) {
	if name == "" {
		return "/", nil
	}
	if _, found := r.same[name]; found {
		return name, nil
	}
	if object, found := r.others[name]; found {
		return object, nil
	}
	object, err := r.follow(name)
	if past, found := r.past[name]; err != nil && found {
		return past, nil
	}
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", name, err)
	}
	switch {
	case r.isMoving:
		r.past[name] = object
	case object == name:
		r.same[name] = struct{}{}
	default:
		r.others[name] = object
	}
	return object, nil
}

func (r *Root) follow(name string) (string, error) {
	if err := r.ready(); err != nil {
		return "", err
	}
	r.isMoving = false
	return securejoin.SecureJoinVFS("/", name, view{r})
}

// Moved says whether the kubelet has moved a link since a path was last followed over it, so that the path may mean
// something else now.
func (r *Root) Moved() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.moving) == 0 || time.Since(r.glanced) < glance {
		return false
	}
	if r.glanced = time.Now(); r.ready() != nil {
		return false
	}
	for name, said := range r.moving {
		if e := r.look(name); e.err == nil && e.target != said {
			return true
		}
	}
	return false
}

// ready opens the directory, and sees to it that it is closed when nobody asks any more.
func (r *Root) ready() error {
	if r.waiting != nil {
		select {
		case <-r.waiting:
			r.waiting = nil
		default:
			return ErrStuck
		}
	}
	if r.dir == nil {
		dir, err := r.open()
		if err != nil {
			return fmt.Errorf("open root: %w", err)
		}
		r.dir = dir
		r.close = time.AfterFunc(idle, r.Close)
	}
	r.close.Reset(idle)
	return nil
}

// Close releases the directory; the next question opens it again.
func (r *Root) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir == nil {
		return
	}
	r.close.Stop()
	_ = r.dir.Close()
	r.dir = nil
}

// multiCallPrograms act by the name that they are called by.
func multiCallPrograms() []string { return []string{"busybox", "toybox", "coreutils"} }

func isMultiCall(name, object string) bool {
	base := path.Base(object)
	return slices.Contains(multiCallPrograms(), base) && path.Base(name) != base
}
