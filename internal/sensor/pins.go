// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

// pinFolder is ours alone below the bpffs.
const pinFolder = "kubearmor"

// tableVersion changes when the tables mean something else though their shape stays.
const tableVersion = 3

// pins is what outlives the process: BPFFS/kubearmor/<shape of the tables>/{maps,links}/NAME. Links are pinned last, so
// a folder with links has all its maps.
type pins struct {
	root string
	dir  string
	// keeping says that this core is to be pinned; one that only observes is not.
	keeping bool
	// adopting says that dir holds a core of the same shape.
	adopting bool
}

var errNotBPFFS = errors.New("is not a bpffs mount point")

func openPins(bpffs string, s specs, mode Mode) (*pins, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(bpffs, &st); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errNotBPFFS, bpffs, err)
	}
	if st.Type != unix.BPF_FS_MAGIC {
		return nil, fmt.Errorf("%s %w", bpffs, errNotBPFFS)
	}
	root := filepath.Join(bpffs, pinFolder)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for pins: %w", err)
	}
	return &pins{root: root, dir: filepath.Join(root, shape(s)), keeping: mode == ModeEnforce}, nil
}

// shape names tables that programs and compiled policies can share.
func shape(s specs) string {
	sum := sha256.New()
	fmt.Fprintln(sum, tableVersion)
	for _, name := range s.mapNames() {
		m := s.maps[name]
		fmt.Fprintln(sum, name, m.Type, m.KeySize, m.ValueSize, m.MaxEntries, m.Flags)
		if m.InnerMap != nil {
			fmt.Fprintln(sum, m.InnerMap.Type, m.InnerMap.KeySize, m.InnerMap.ValueSize, m.InnerMap.Flags)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

func (p *pins) mapPath(name string) string  { return filepath.Join(p.dir, "maps", name) }
func (p *pins) linkPath(name string) string { return filepath.Join(p.dir, "links", name) }

// lock keeps other processes that know this package from changing what is pinned.
func (p *pins) lock() (unlock func(), err error) {
	f, err := os.Open(p.root)
	if err != nil {
		return nil, fmt.Errorf("lock pins: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock pins: %w", err)
	}
	return func() { f.Close() }, nil
}

// prepare finds out what an earlier process left. A folder without links is of one that died before it attached. One
// whose maps cannot be used, whatever happened to them, is put aside: it enforces until this core has policies.
func (p *pins) prepare(s specs, log logr.Logger) error {
	if !p.keeping {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(p.dir, "links"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for pinned links: %w", err)
	}
	if len(entries) > 0 {
		err := p.checkMaps(s)
		if err == nil {
			p.adopting = true
			return nil
		}
		log.Error(err, "the pinned core cannot be adopted, and enforces until this one has policies")
		return p.putAside()
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("remove half of a core: %w", err)
	}
	return p.makeFolders()
}

func (p *pins) checkMaps(s specs) error {
	for name, spec := range s.maps {
		m, err := p.adoptMap(name, spec)
		if err != nil {
			return fmt.Errorf("map %s: %w", name, err)
		}
		m.Close()
	}
	return nil
}

// putAside renames the folder to the first free name.
func (p *pins) putAside() error {
	for i := 0; ; i++ {
		aside := fmt.Sprintf("%s-unusable-%d", p.dir, i)
		if _, err := os.Stat(aside); err == nil {
			continue
		}
		if err := os.Rename(p.dir, aside); err != nil {
			return fmt.Errorf("put unusable core aside: %w", err)
		}
		return p.makeFolders()
	}
}

func (p *pins) makeFolders() error {
	for _, dir := range []string{"maps", "links"} {
		if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o700); err != nil {
			return fmt.Errorf("make folder for pins: %w", err)
		}
	}
	return nil
}

func (p *pins) adoptMap(name string, spec *ebpf.MapSpec) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(p.mapPath(name), nil)
	if err != nil {
		return nil, fmt.Errorf("adopt: %w", err)
	}
	if err := spec.Compatible(m); err != nil {
		return nil, errors.Join(fmt.Errorf("adopt: %w", err), m.Close())
	}
	return m, nil
}

// pinHooks replaces the pinned links by ours, which are attached already: at no moment is neither.
func (p *pins) pinHooks(hooks []hook) error {
	ours := map[string]bool{}
	for _, h := range hooks {
		if err := p.pinHook(h); err != nil {
			return err
		}
		ours[h.name] = true
	}
	return p.dropLinks(func(name string) bool { return !ours[name] })
}

func (p *pins) pinHook(h hook) error {
	next := p.linkPath(h.name + "-next")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove left-over pin: %w", err)
	}
	if err := h.link.Pin(next); err != nil {
		return fmt.Errorf("pin link: %w", err)
	}
	if err := os.Rename(next, p.linkPath(h.name)); err != nil {
		return fmt.Errorf("replace pinned link: %w", err)
	}
	// The library still knows the name that is gone, and would take a second Pin of it for done. This only forgets it.
	if err := h.link.Unpin(); err != nil {
		return fmt.Errorf("forget name of pinned link: %w", err)
	}
	return nil
}

func (p *pins) dropLinks(drop func(name string) bool) error {
	entries, err := os.ReadDir(filepath.Join(p.dir, "links"))
	if err != nil {
		return fmt.Errorf("list pinned links: %w", err)
	}
	for _, e := range entries {
		if !drop(e.Name()) {
			continue
		}
		if err := os.Remove(p.linkPath(e.Name())); err != nil {
			return fmt.Errorf("remove pinned link: %w", err)
		}
	}
	return nil
}

// retire takes off earlier cores of other shapes or another mode. They enforced until this one had policies.
func (p *pins) retire() error {
	if p.keeping {
		return removeCores(p.root, p.dir)
	}
	return removeCores(p.root, "")
}

// removeCores removes all pinned cores but one, links first.
func removeCores(root, keep string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("list pinned cores: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if dir == keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, "links")); err != nil {
			return fmt.Errorf("take off earlier core: %w", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("take off earlier core: %w", err)
		}
	}
	return nil
}
