// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/test/diff/example"
	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

// attempt is one operation of the model as a system call or a few.
type attempt struct {
	// op is the operation that hooks are made of; of attempts of several operations, the first of its kind.
	op model.Operation
	wire.Attempt
	places []place
	hooks  []hook
}

// impossible says why an operation of the model cannot be tried here.
type impossible string

func (i impossible) Error() string { return string(i) }

// planner makes attempts for one tree.
type planner struct {
	fixed fixed
	root  model.Resolver
	// above are the folders that something fixed is in.
	above map[string]bool
	// renamesTwice: before 5.19, the hook of an exchange is called for each half.
	renamesTwice bool
	// missing are the hooks that the kernel does not have.
	missing []string
	gaps    map[string]int
}

func newPlanner(f fixed, root model.Resolver) *planner {
	p := &planner{fixed: f, root: root, above: map[string]bool{"/": true}, gaps: map[string]int{}}
	for _, path := range p.fixedPaths() {
		for path != "/" {
			path = parent(path)
			p.above[path] = true
		}
	}
	for _, path := range []string{f.bindFrom, f.bindTo} {
		p.above[path] = path != ""
	}
	return p
}

func (p *planner) fixedPaths() []string {
	paths := append([]string{firstWorker, poolFile}, p.fixed.sources...)
	for from := range p.fixed.links {
		paths = append(paths, from)
	}
	for _, path := range []string{p.fixed.bindFrom, p.fixed.bindTo} {
		if path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// variants of a kind of operations: the ways to do it. They are words for people, too.
func variants(op model.Operation) []string {
	switch op.Kind {
	case model.Exec:
		if op.Object {
			return []string{"memfd"}
		}
		return []string{"exec", "exec", "exec", "exec", "exec", "exec", "script", "script", "script", "execveat"}
	case model.Read:
		return []string{"read", "read", "openat2", "readdir", "reference", "read with O_CREAT"}
	case model.Write:
		return []string{"write", "append", "read and write", "read with O_TRUNC", "write with O_TRUNC", "truncate", "ftruncate", "write with O_CREAT"}
	case model.Create:
		return []string{"create", "create for reading", "create with O_TRUNC", "mkdir", "mkfifo", "mknod", "symlink"}
	case model.Delete:
		return []string{"unlink", "unlink", "rmdir", "unlink a folder"}
	case model.Rename:
		return []string{"rename", "rename", "noreplace", "exchange"}
	case model.Link:
		return []string{"link"}
	case model.Chmod:
		return []string{"chmod", "chown", "fchmod", "fchown"}
	case model.Socket:
		return []string{"socket", "socket", "pair"}
	case model.Bind, model.Listen, model.Connect, model.Accept, model.Sendmsg:
		return []string{string(op.Kind)}
	case model.DNS:
		return []string{"sent", "connected", "sent6", "connected6"}
	case model.Capable:
		return []string{"with", "with", "with", "without"}
	default:
		return nil
	}
}

// plan says how to do the operation in this way; the error is impossible where that cannot be.
func (p *planner) plan(op model.Operation, variant string) (attempt, error) {
	if !slices.Contains(variants(op), variant) {
		return attempt{}, impossible("it is no way to do this")
	}
	if op.Unresolved {
		return attempt{}, impossible("its path cannot be resolved")
	}
	a := attempt{op: op, Attempt: wire.Attempt{UID: op.UID, Drop: -1}}
	var err error
	switch {
	case op.Kind == model.Exec:
		err = p.exec(&a, variant)
	case op.Object:
		err = impossible("it has no path")
	case op.Kind == model.Rename || op.Kind == model.Link:
		err = p.rename(&a, variant)
	case op.Kind == model.DNS:
		p.lookUp(&a, variant)
	case op.Kind == model.Capable:
		err = p.capable(&a, variant)
	case op.Kind.Domain() == policy.DomainNetwork:
		err = p.socket(&a, variant)
	default:
		err = p.file(&a, variant)
	}
	return a, err
}

// place says what to put at a path, as the task names it.
func (p *planner) place(kind model.Kind, named string, w what, owner uint32) (place, error) {
	path := example.Object(kind, named, p.root)
	_, isLink := p.fixed.links[path]
	switch {
	case path == "/" || len(path) > unix.PathMax-300 && path != named:
		return place{}, impossible("its path has no room")
	case strings.HasPrefix(path, "/.diffvm"):
		return place{}, impossible("it is the guest's own")
	case p.below(path):
		return place{}, impossible("it is below something that is no folder")
	case p.above[path]:
		if w == nothing || kind == model.Rename || kind == model.Link || kind == model.Exec {
			return place{}, impossible("it is above something that must stay")
		}
		return place{path: path, what: kept}, nil
	case isLink:
		if kind != model.Delete {
			return place{}, impossible("it is a symlink that must stay")
		}
		return place{path: path, what: kept}, nil
	case slices.Contains(p.fixed.sources, path):
		if kind != model.Read && kind != model.Write && kind != model.Chmod {
			return place{}, impossible("it is a worker")
		}
		return place{path: path, what: kept}, nil
	}
	return place{path: path, what: w, owner: owner}, nil
}

// below says whether a copy of the worker or a symlink is on the way, instead of a folder.
func (p *planner) below(path string) bool {
	for _, source := range append([]string{firstWorker}, p.fixed.sources...) {
		if strings.HasPrefix(path, source+"/") {
			return true
		}
	}
	for from := range p.fixed.links {
		if strings.HasPrefix(path, from+"/") {
			return true
		}
	}
	return false
}

// simple is a hook that asks the operation's own question with another kind.
func (a *attempt) simple(kind model.Kind, operation, resource string) simple {
	op := a.op
	op.Kind = kind
	return simple{op: op, operation: operation, resource: resource, errno: unix.EACCES}
}

func (a *attempt) add(h ...hook) { a.hooks = append(a.hooks, h...) }

// file plans what is done with one path.
func (p *planner) file(a *attempt, variant string) error {
	a.op.New = a.op.Kind == model.Create
	w := program
	switch {
	case a.op.Kind == model.Create:
		w = nothing
	case variant == "readdir" || variant == "rmdir" || variant == "unlink a folder":
		w = folder
	}
	at, err := p.place(a.op.Kind, a.op.Path, w, a.op.Owner)
	if err != nil {
		return err
	}
	at.linked = w == program && len(at.path)%3 == 0
	if at.what == kept {
		a.op.Owner = 0
	}
	a.places = []place{at}
	a.Args = []string{a.op.Path}
	if a.op.Kind == model.Create {
		p.create(a, variant, at.path)
		return nil
	}
	p.use(a, variant, at.path)
	return nil
}

// create plans what makes a file, and opens it in some ways.
func (p *planner) create(a *attempt, variant, path string) {
	opened := map[string]struct {
		flags int
		kind  model.Kind
	}{
		"create":              {unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY, model.Write},
		"create for reading":  {unix.O_CREAT | unix.O_RDONLY, model.Read},
		"create with O_TRUNC": {unix.O_CREAT | unix.O_TRUNC | unix.O_RDONLY, model.Write},
	}
	a.Act = variant
	operation := sensor.OperationCreate
	switch variant {
	case "mkdir":
		operation = sensor.OperationMkdir
	case "symlink":
		operation = sensor.OperationSymlink
	}
	a.add(a.simple(model.Create, operation, path))
	if how, found := opened[variant]; found {
		a.Act = "open"
		a.Args = append(a.Args, fmt.Sprint(how.flags))
		open := a.simple(how.kind, sensor.OperationOpen, path)
		open.op.New, open.op.Owner = false, a.op.UID
		a.add(open)
	}
}

// use plans what is done with a file or folder that is there.
func (p *planner) use(a *attempt, variant, path string) {
	open := func(flags int, kind model.Kind) {
		a.Act = "open"
		a.Args = append(a.Args, fmt.Sprint(flags))
		a.add(a.simple(kind, sensor.OperationOpen, path))
	}
	truncated := a.simple(model.Write, sensor.OperationTruncate, path)
	a.Act = variant
	switch variant {
	case "read":
		open(unix.O_RDONLY, model.Read)
	case "openat2":
		open(unix.O_RDONLY, model.Read)
		a.Act = "openat2"
	case "read with O_CREAT":
		open(unix.O_RDONLY|unix.O_CREAT, model.Read)
	case "reference":
		open(unix.O_PATH, model.Read)
		a.hooks = nil
	case "readdir":
		a.add(a.simple(model.Read, sensor.OperationOpen, path))
	case "write":
		open(unix.O_WRONLY, model.Write)
	case "append":
		open(unix.O_WRONLY|unix.O_APPEND, model.Write)
	case "read and write":
		open(unix.O_RDWR, model.Write)
	case "write with O_CREAT":
		open(unix.O_WRONLY|unix.O_CREAT, model.Write)
	case "read with O_TRUNC":
		open(unix.O_RDONLY|unix.O_TRUNC, model.Write)
		a.add(truncated)
	case "write with O_TRUNC":
		open(unix.O_WRONLY|unix.O_TRUNC, model.Write)
		a.add(truncated)
	case "truncate":
		a.add(truncated)
	case "ftruncate":
		a.add(a.simple(model.Write, sensor.OperationOpen, path), truncated)
	case "unlink", "unlink a folder":
		a.Act = "unlink"
		a.add(a.simple(model.Delete, sensor.OperationUnlink, path))
	case "rmdir":
		a.add(a.simple(model.Delete, sensor.OperationRmdir, path))
	default:
		p.attributes(a, variant, path)
	}
}

func (p *planner) attributes(a *attempt, variant, path string) {
	if strings.HasPrefix(variant, "f") {
		a.add(a.simple(model.Read, sensor.OperationOpen, path))
	}
	if strings.HasSuffix(variant, "chmod") {
		a.add(a.simple(model.Chmod, sensor.OperationChmod, path))
		return
	}
	a.add(p.unlessMissing("lsm/path_chown", a.simple(model.Chmod, sensor.OperationChown, path)))
}

// unlessMissing counts what nobody judges here.
func (p *planner) unlessMissing(point string, h hook) hook {
	if !slices.Contains(p.missing, point) {
		return h
	}
	p.gaps[point]++
	return nobody{h}
}

// rename plans what gives an object another name.
func (p *planner) rename(a *attempt, variant string) error {
	op := &a.op
	op.New = false
	op.Directory = op.Directory && op.Kind == model.Rename
	op.Replaces = variant == "exchange" || op.Replaces && variant == "rename"
	w, over := program, nothing
	if op.Directory {
		w = folder
	}
	if op.Replaces {
		over = w
	}
	from, err := p.place(op.Kind, op.Path, w, op.Owner)
	if err != nil {
		return err
	}
	to, err := p.place(op.Kind, op.NewPath, over, op.NewOwner)
	if err != nil {
		return err
	}
	if strings.HasPrefix(from.path+"/", to.path+"/") || strings.HasPrefix(to.path+"/", from.path+"/") {
		return impossible("one path is in the other")
	}
	a.places, a.Act, a.Args = []place{from, to}, variant, []string{op.Path, op.NewPath}
	h := renaming{op: *op, from: from.path, to: to.path, operation: sensor.OperationRename, twice: p.renamesTwice}
	if op.Kind == model.Link {
		h.operation = sensor.OperationLink
	}
	if variant == "exchange" {
		back := *op
		back.Path, back.NewPath, back.Owner, back.NewOwner = op.NewPath, op.Path, op.NewOwner, op.Owner
		h.back = &back
	}
	a.add(h)
	return nil
}
