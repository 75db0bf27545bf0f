package qemu

import (
	"bytes"
	"context"
	"time"

	"novacron/backend/client"
	"novacron/backend/core/wire"
)

// act is an operation that is cut short: what comes before it, and how it is asked for.
type act struct {
	name   string
	before func(g guest)
	ask    func(ctx context.Context, g guest) (*wire.Operation, error)
	// guestless: no guest runs meanwhile that could be killed.
	guestless bool
}

// second is the name of what an act makes beside its VM: a clone or an image.
func (g guest) second() string { return g.name + "-2" }

var force = wire.StopVM{Force: true}

// States that acts begin in.
func nothing(guest)    {}
func running(g guest)  { g.w.create(g.name) }
func stopped(g guest)  { running(g); g.stop(force) }
func paused(g guest)   { running(g); g.do(g.w.PauseVM) }
func asleep(g guest)   { running(g); g.do(g.w.SuspendVM) }
func withShot(g guest) { stopped(g); g.snapshot(wire.CreateSnapshot{Name: "s"}) }
func withShotOfMemory(g guest) {
	running(g)
	g.snapshot(wire.CreateSnapshot{Name: "s", Memory: true})
}

// acts has every operation of the platform that reaches a node, and image imports.
func acts() []act {
	return []act{
		{name: "create", before: nothing, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := g.w.CreateVM(ctx, g.w.small(g.name), 0)
			return a.Operation, err
		}},
		{name: "start", before: stopped, ask: power((*client.Client).StartVM)},
		{name: "suspend", before: running, ask: power((*client.Client).SuspendVM)},
		{name: "resume", before: asleep, ask: power((*client.Client).ResumeVM)},
		{name: "stop", before: running, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := g.w.StopVM(ctx, g.name, force, 0)
			return a.Operation, err
		}},
		{name: "restart", before: running, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := g.w.RestartVM(ctx, g.name, force, 0)
			return a.Operation, err
		}},
		{name: "snapshot with memory", before: running, ask: shoot(wire.CreateSnapshot{Name: "s", Memory: true})},
		{name: "revert", before: withShot, ask: revert},
		{name: "linked clone", before: stopped, ask: copyOf(true)},
		{name: "a disk more", before: running, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := g.w.UpdateVM(ctx, g.name, wire.UpdateVM{AddDisks: []wire.NewDisk{{SizeGiB: 1}}, AddNICs: []string{"default"}}, 0, 0)
			return a.Operation, err
		}},
		{name: "delete", before: running, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := g.w.DeleteVM(ctx, g.name, 0)
			return a.Operation, err
		}},
		{name: "pause", before: running, ask: power((*client.Client).PauseVM)},
		{name: "resume of a pause", before: paused, ask: power((*client.Client).ResumeVM)},
		{name: "stop by force of a stop that waits", before: running, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			if _, err := g.w.StopVM(ctx, g.name, wire.StopVM{}, 0); err != nil {
				return nil, err
			}
			a, err := g.w.StopVM(ctx, g.name, force, 0)
			return a.Operation, err
		}},
		{name: "snapshot", before: running, ask: shoot(wire.CreateSnapshot{Name: "s"})},
		{name: "revert with memory", before: withShotOfMemory, ask: revert},
		{name: "delete of a snapshot", before: withShotOfMemory, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := g.w.DeleteSnapshot(ctx, g.name, "s", 0)
			return a.Operation, err
		}},
		{name: "full clone", before: stopped, ask: copyOf(false)},
		{name: "import", before: nothing, ask: importDisk, guestless: true},
		{name: "delete of an image", before: func(g guest) { g.w.upload(g.second(), bootSector("to be deleted")) }, ask: func(ctx context.Context, g guest) (*wire.Operation, error) {
			a, err := g.w.DeleteImage(ctx, g.second(), 0)
			return a.Operation, err
		}, guestless: true},
	}
}

// power asks for a verb that takes nothing but the VM.
func power(v func(*client.Client, context.Context, string, time.Duration) (wire.VMAnswer, error)) func(context.Context, guest) (*wire.Operation, error) {
	return func(ctx context.Context, g guest) (*wire.Operation, error) {
		a, err := v(g.w.Client, ctx, g.name, 0)
		return a.Operation, err
	}
}

func shoot(r wire.CreateSnapshot) func(context.Context, guest) (*wire.Operation, error) {
	return func(ctx context.Context, g guest) (*wire.Operation, error) {
		a, err := g.w.CreateSnapshot(ctx, g.name, r, 0)
		return a.Operation, err
	}
}

func revert(ctx context.Context, g guest) (*wire.Operation, error) {
	a, err := g.w.RevertSnapshot(ctx, g.name, "s", 0)
	return a.Operation, err
}

func copyOf(linked bool) func(context.Context, guest) (*wire.Operation, error) {
	return func(ctx context.Context, g guest) (*wire.Operation, error) {
		a, err := g.w.CloneVM(ctx, g.name, wire.CloneVM{Name: g.second(), Linked: linked}, 0)
		return a.Operation, err
	}
}

// importDisk uploads a qcow2, which has to be converted.
func importDisk(ctx context.Context, g guest) (*wire.Operation, error) {
	disk := converted(g.w.t, "qcow2", bootSector("imported"))
	size := int64(len(disk))
	if _, err := g.w.CreateImage(ctx, wire.CreateImage{Name: g.second(), Bytes: size}, 0); err != nil {
		return nil, err
	}
	a, err := g.w.UploadImage(ctx, g.second(), bytes.NewReader(disk), size, func(int64, int64) {})
	return a.Operation, err
}
