package agent

import (
	"context"
	"io"
	"time"

	"novacron/backend/core/vm"
)

// Agent owns the VMs of one node. It implements API.
type Agent struct {
	o Options
}

// New makes an agent. Nothing happens before Start.
func New(o Options) (*Agent, error) { return &Agent{o: o}, nil }

// Start reads the journal, adopts the guests that run, and finishes what a crash left half done where that only takes
// away. It returns when every VM has an owner.
func (a *Agent) Start(ctx context.Context) error { return nil }

// Close lets go of the guests, which run on, and waits for the actors.
func (a *Agent) Close() error { return nil }

// StopAll ends every guest: by ACPI while ctx lasts, then by force. What is wanted of the VMs does not change.
func (a *Agent) StopAll(ctx context.Context) error { return nil }

// AskLease notes the moment of a lease renewal that is about to be sent and gives its number.
func (a *Agent) AskLease() (seq int64) { return 0 }

// LeaseLeft is how long the node's lease still holds on CLOCK_BOOTTIME; 0: ended or never had.
func (a *Agent) LeaseLeft() time.Duration { return 0 }

func (a *Agent) Ensure(ctx context.Context, m vm.Machine) (vm.Seen, error) { return vm.Seen{}, nil }
func (a *Agent) Snapshot(ctx context.Context, r SnapshotRequest) error     { return nil }
func (a *Agent) EnsureImage(ctx context.Context, r ImageRequest, progress func(done float64)) error {
	return nil
}
func (a *Agent) Open(ctx context.Context, r StreamRequest) (io.ReadWriteCloser, error) {
	return nil, nil
}
func (a *Agent) Facts(ctx context.Context) (Facts, error)             { return Facts{}, nil }
func (a *Agent) Reports(ctx context.Context) (<-chan vm.Seen, error) { return nil, nil }
func (a *Agent) Lease(ctx context.Context, l Lease) error            { return nil }

var _ API = (*Agent)(nil)
