package agent

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
	"novacron/backend/network"
	"novacron/backend/storage"
)

// Options is what an Agent is made of. Everything but Source, Log, Version, NoSync and Limits must be given.
type Options struct {
	Node    id.Node
	Version string // of novacron, told in Facts
	DataDir string // journal in agent/, each VM's own files in vms/<id>/
	Driver  hypervisor.Driver
	Pool    storage.Pool
	Images  Images
	Fabric  network.Fabric
	Source  Source // where images that are not in the cache come from; nil: nowhere
	Seed    SeedFunc
	Log     *slog.Logger // nil: slog.Default
	NoSync  bool         // the journal is not synced to the disk: only for simulated guests, which die with the process anyway
	Limits  Limits
	// Simulated is what the node tells of itself in place of this machine's measures; only for simulated guests, which use
	// nothing of it. nil: measured.
	Simulated *Capacity
	// Instant reads a clock of this machine that never steps and goes on during suspend; nil: CLOCK_BOOTTIME.
	Instant func() node.Instant
	// Step is asked before each effect on the node's disk; an error is the effect's. A simulation ends the agent here. nil: nobody
	// is asked.
	Step func(what string) error
}

// Capacity is the size of a simulated node.
type Capacity struct {
	CPUs      int
	MemoryMiB int
	DiskBytes int64
}

// Images is what the agent needs of the node's image cache; *storage.Cache is one. Methods may be called from several
// goroutines.
type Images interface {
	Has(digest string) bool
	Get(digest string) (storage.Info, error)
	List() ([]storage.Info, error)
	// Receive takes size bytes of r, whose SHA-256 must be digest.
	Receive(ctx context.Context, digest string, size int64, r io.Reader, progress func(done int64)) (storage.Info, error)
}

// Source opens an image of the control plane by digest from a byte offset on.
type Source func(ctx context.Context, digest string, offset int64) (io.ReadCloser, error)

// SeedFunc writes the NoCloud medium of a machine to path, replacing what is there. It may run twice.
type SeedFunc func(path string, m vm.Machine) error

// Limits bounds what the agent does at once and how long it waits. Zero fields take the default.
type Limits struct {
	Starts       int           // guests starting at once; default 2 per CPU: starting is half waiting for the disk
	DiskJobs     int           // volumes being made, removed or snapshotted at once; default 2 per CPU
	Call         time.Duration // for one short answer of a driver, pool or fabric; default 30 s
	Start        time.Duration // for a process to start and its monitor to answer; default 90 s
	Copy         time.Duration // for what moves a guest's memory or a disk: suspend, restore, snapshots, copies; default 30 min
	GuestPoll    time.Duration // first wait between two questions to a guest agent; doubles up to GuestPollMax; default 1 s
	GuestPollMax time.Duration // default 5 min
}

func (l Limits) withDefaults() Limits {
	cpus := runtime.NumCPU()
	setDefault(&l.Starts, 2*cpus)
	setDefault(&l.DiskJobs, 2*cpus)
	setDefault(&l.Call, 30*time.Second)
	setDefault(&l.Start, 90*time.Second)
	setDefault(&l.Copy, 30*time.Minute)
	setDefault(&l.GuestPoll, time.Second)
	setDefault(&l.GuestPollMax, 5*time.Minute)
	return l
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

func (o Options) check() error {
	missing := ""
	switch {
	case o.Node == "":
		missing = "Node"
	case o.DataDir == "":
		missing = "DataDir"
	case o.Driver == nil:
		missing = "Driver"
	case o.Pool == nil:
		missing = "Pool"
	case o.Images == nil:
		missing = "Images"
	case o.Fabric == nil:
		missing = "Fabric"
	case o.Seed == nil:
		missing = "Seed"
	}
	if missing != "" {
		return fault.New(fault.Invalid, "agent_options", "an agent cannot be made without %s", missing)
	}
	return nil
}
