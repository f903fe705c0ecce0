// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/rlimit"

	"github.com/kubearmor/kubearmor-operator/bpf/capable"
	"github.com/kubearmor/kubearmor-operator/bpf/dns"
	"github.com/kubearmor/kubearmor-operator/bpf/exec"
	"github.com/kubearmor/kubearmor-operator/bpf/file"
	"github.com/kubearmor/kubearmor-operator/bpf/owner"
	"github.com/kubearmor/kubearmor-operator/bpf/path"
	"github.com/kubearmor/kubearmor-operator/bpf/preset"
	"github.com/kubearmor/kubearmor-operator/bpf/socket"
	"github.com/kubearmor/kubearmor-operator/bpf/syscall"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// Names of the tables. All but the last two are maps of the objects.
const (
	tableBindings = "bindings"
	tableRules    = "rules"
	tableAutomata = "automata"
	tableSlots    = "slots"
	tableReports  = "reports"
	tableTasks    = "task_slots"
	tableCounters = "counters"
	tableDenials  = "denials"
	tableAudits   = "audits"
	tableHashKey  = "hash_key"
	tableLevels   = "levels"
)

// specs are the objects as they will be loaded, and the maps that they share.
type specs struct {
	objects []*ebpf.CollectionSpec
	// calls, presets, owners and lookups are those of them that the core can do without.
	calls, owners, lookups *ebpf.CollectionSpec
	presets                [2]*ebpf.CollectionSpec
	maps                   map[string]*ebpf.MapSpec
	// taskStorage says whether the programs may use task_slots.
	taskStorage bool
	// spareSlots is the index of the first of them, or 0.
	spareSlots uint32
}

func loadSpecs(mode Mode) (specs, error) {
	if mode != ModeEnforce && mode != ModeObserve {
		return specs{}, fmt.Errorf("mode %q is neither %q nor %q", mode, ModeEnforce, ModeObserve)
	}
	s := specs{
		maps: map[string]*ebpf.MapSpec{
			tableHashKey: {Name: tableHashKey, Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: 1},
		},
		taskStorage: mode == ModeEnforce && haveReliableTaskStorage(),
	}
	for _, load := range []func() (*ebpf.CollectionSpec, error){
		exec.LoadExec, file.LoadFile, path.LoadPath, socket.LoadSocket, capable.LoadCapable,
		syscall.LoadSyscall, preset.LoadMemory, preset.LoadProcess, owner.LoadOwner, dns.LoadDns,
	} {
		object, err := load()
		if err != nil {
			return specs{}, fmt.Errorf("read object: %w", err)
		}
		// Of each program there is one for either mode, which its name ends with.
		maps.DeleteFunc(object.Programs, func(name string, _ *ebpf.ProgramSpec) bool {
			return !strings.HasSuffix(name, "_"+string(mode))
		})
		s.objects = append(s.objects, object)
	}
	last := len(s.objects) - 1
	s.calls, s.owners, s.lookups = s.objects[last-4], s.objects[last-1], s.objects[last]
	s.presets = [2]*ebpf.CollectionSpec(s.objects[last-3:])
	err := s.shareMaps()
	return s, err
}

// neverUsed makes a map that the programs do not look at one that every kernel can make.
func neverUsed(m *ebpf.MapSpec) {
	m.Type, m.Flags, m.MaxEntries = ebpf.Array, 0, 1
}

// haveReliableTaskStorage tells kernels whose task storage does not fail because another task was preempted inside of it.
// That was put right in 6.2, which is also the first to have cgroup storage; nothing else of it can be seen from outside.
func haveReliableTaskStorage() bool {
	return features.HaveMapType(ebpf.TaskStorage) == nil && features.HaveMapType(ebpf.CgroupStorage) == nil
}

// spareSlots is SPARE_SLOTS of bpf/include/core/limits.h.
const spareSlots = 32

// shareMaps gives every object the same maps, sized for this machine.
func (s *specs) shareMaps() error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	for _, object := range s.objects {
		for _, perCPU := range []string{tableSlots, tableReports} {
			object.Maps[perCPU].MaxEntries *= uint32(cpus)
		}
		if runtime.GOARCH == "amd64" && !s.taskStorage {
			s.spareSlots = object.Maps[tableSlots].MaxEntries
			object.Maps[tableSlots].MaxEntries += spareSlots
		}
		if !s.taskStorage {
			neverUsed(object.Maps[tableTasks])
		}
		for name, m := range object.Maps {
			if name[0] != '.' {
				s.maps[name] = m
			}
		}
	}
	return nil
}

func (s specs) mapNames() []string { return slices.Sorted(maps.Keys(s.maps)) }

// load makes or adopts the maps, and loads the programs.
func (c *Core) load(s specs) error {
	if err := rlimit.RemoveMemlock(); err != nil {
		c.log.V(1).Info("the limit of locked memory stays; kernels before 5.11 may refuse to make maps", "cause", err.Error())
	}
	if err := c.makeMaps(s); err != nil {
		return err
	}
	for _, name := range []string{tableBindings, tableRules, tableAutomata} {
		c.inner[name] = s.maps[name].InnerMap
	}
	if err := c.takeKey(); err != nil {
		return err
	}
	cache := btf.NewCache()
	kernel, err := findHooks(cache)
	if err != nil {
		return err
	}
	if lackCast(kernel.types) {
		for _, object := range s.objects {
			leaveOutCast(object)
		}
	}
	settings := map[string]any{
		"hash_key":        c.key,
		"ancestor_helper": haveAncestorHelper(c.mode),
		"task_storage":    s.taskStorage,
		"rename_flags":    kernel.arguments("path_rename") > 4,
		"spare_slots":     s.spareSlots,
	}
	for _, object := range s.objects {
		switch object {
		case s.lookups:
			c.loadLookups(object, settings, cache)
		case s.calls:
			c.loadCalls(object, settings, cache)
		case s.owners:
			err = c.loadOwners(object, settings, kernel, cache)
		case s.presets[0], s.presets[1]:
			err = c.loadPresets(object, settings, cache)
		default:
			c.missing = append(c.missing, kernel.leaveOut(object)...)
			err = c.loadObject(object, settings, cache)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Core) makeMaps(s specs) error {
	for _, name := range s.mapNames() {
		m, err := c.makeMap(name, s.maps[name])
		if err != nil {
			return fmt.Errorf("map %s: %w", name, err)
		}
		c.maps[name] = m
	}
	return nil
}

func (c *Core) makeMap(name string, spec *ebpf.MapSpec) (*ebpf.Map, error) {
	if c.pins != nil && c.pins.adopting {
		return c.pins.adoptMap(name, spec)
	}
	m, err := ebpf.NewMap(spec)
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	if c.pins == nil || !c.pins.keeping {
		return m, nil
	}
	if err := m.Pin(c.pins.mapPath(name)); err != nil {
		return nil, errors.Join(fmt.Errorf("pin: %w", err), m.Close())
	}
	return m, nil
}

// takeKey reads the key that the adopted tables were filled with, or makes one.
func (c *Core) takeKey() error {
	var raw [16]byte
	m := c.maps[tableHashKey]
	if err := m.Lookup(uint32(0), &raw); err != nil {
		return fmt.Errorf("read hash key: %w", err)
	}
	if raw == [16]byte{} {
		rand.Read(raw[:])
		if err := m.Put(uint32(0), raw); err != nil {
			return fmt.Errorf("write hash key: %w", err)
		}
	}
	c.key = table.Key{binary.LittleEndian.Uint64(raw[:8]), binary.LittleEndian.Uint64(raw[8:])}
	return nil
}

func (c *Core) loadObject(object *ebpf.CollectionSpec, settings map[string]any, cache *btf.Cache) error {
	for name, value := range settings {
		if err := object.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	shared := maps.Clone(c.maps)
	maps.DeleteFunc(shared, func(name string, _ *ebpf.Map) bool { return object.Maps[name] == nil })
	options := ebpf.CollectionOptions{MapReplacements: shared, Cache: cache}
	// All that programs read is in the kernel's own types: none of its modules' need be looked through.
	kernel, err := cache.Kernel()
	if err != nil {
		return fmt.Errorf("read the kernel's types: %w", err)
	}
	options.Programs.KernelTypes = kernel
	for _, name := range slices.Sorted(maps.Keys(object.Programs)) {
		program, err := loadProgram(object, name, &options)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		c.hooks = append(c.hooks, hook{program: program, name: name, point: object.Programs[name].SectionName})
	}
	return nil
}

// loadProgram loads one program and nothing that outlives it. A whole ebpf.Collection would map the settings into this
// process, and so keep their map in the kernel beyond Detach, until the garbage is collected.
func loadProgram(object *ebpf.CollectionSpec, name string, o *ebpf.CollectionOptions) (*ebpf.Program, error) {
	into := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Program",
		Type: reflect.TypeFor[*ebpf.Program](),
		Tag:  reflect.StructTag(fmt.Sprintf("ebpf:%q", name)),
	}}))
	if err := object.LoadAndAssign(into.Interface(), o); err != nil {
		return nil, err
	}
	return into.Elem().Field(0).Interface().(*ebpf.Program), nil
}

// haveAncestorHelper asks the kernel whether programs of this mode may call bpf_get_current_ancestor_cgroup_id.
func haveAncestorHelper(mode Mode) bool {
	spec := &ebpf.ProgramSpec{
		Type:    ebpf.Kprobe,
		License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R1, 0),
			asm.FnGetCurrentAncestorCgroupId.Call(),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		},
	}
	if mode == ModeEnforce {
		spec.Type, spec.AttachType, spec.AttachTo = ebpf.LSM, ebpf.AttachLSMMac, "file_open"
	}
	program, err := ebpf.NewProgram(spec)
	if err != nil {
		return false
	}
	program.Close()
	return true
}
