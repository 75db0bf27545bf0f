package app

import (
	"context"
	"io"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
)

var errSoon = fault.New(fault.Unavailable, "being_built", "this verb is being built")

func (a *App) Prepare(ctx context.Context) error { return errSoon }
func (a *App) Definitions() []*op.Definition     { return nil }

func (a *App) CreateVM(ctx context.Context, c auth.Caller, r wire.CreateVM) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) VM(ctx context.Context, c auth.Caller, ref string) (wire.VM, error) {
	return wire.VM{}, errSoon
}
func (a *App) ListVMs(ctx context.Context, c auth.Caller, r ListVMs) (wire.List[wire.VMSummary], error) {
	return wire.List[wire.VMSummary]{}, errSoon
}
func (a *App) UpdateVM(ctx context.Context, c auth.Caller, ref string, r wire.UpdateVM, version int64) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) StartVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) StopVM(ctx context.Context, c auth.Caller, ref string, r wire.StopVM) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) RestartVM(ctx context.Context, c auth.Caller, ref string, r wire.StopVM) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) PauseVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) ResumeVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) SuspendVM(ctx context.Context, c auth.Caller, ref string) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) CloneVM(ctx context.Context, c auth.Caller, ref string, r wire.CloneVM) (VMResult, error) {
	return VMResult{}, errSoon
}
func (a *App) DeleteVM(ctx context.Context, c auth.Caller, ref string, version int64) (VMResult, error) {
	return VMResult{}, errSoon
}

func (a *App) CreateSnapshot(ctx context.Context, c auth.Caller, ref string, r wire.CreateSnapshot) (SnapshotResult, error) {
	return SnapshotResult{}, errSoon
}
func (a *App) ListSnapshots(ctx context.Context, c auth.Caller, ref string) ([]wire.Snapshot, error) {
	return nil, errSoon
}
func (a *App) Snapshot(ctx context.Context, c auth.Caller, ref, snapshot string) (wire.Snapshot, error) {
	return wire.Snapshot{}, errSoon
}
func (a *App) RevertSnapshot(ctx context.Context, c auth.Caller, ref, snapshot string) (SnapshotResult, error) {
	return SnapshotResult{}, errSoon
}
func (a *App) DeleteSnapshot(ctx context.Context, c auth.Caller, ref, snapshot string) (SnapshotResult, error) {
	return SnapshotResult{}, errSoon
}

func (a *App) IssueConsoleTicket(ctx context.Context, c auth.Caller, ref string, r wire.ConsoleWish) (Ticket, error) {
	return Ticket{}, errSoon
}
func (a *App) RedeemConsoleTicket(ctx context.Context, ticket string) (Console, error) {
	return Console{}, errSoon
}

// OpenConsole opens the stream of a redeemed ticket on the VM's node.
func (a *App) OpenConsole(ctx context.Context, g Console) (io.ReadWriteCloser, error) {
	return nil, errSoon
}

func (a *App) ListOperations(ctx context.Context, c auth.Caller, r ListOperations) (wire.List[wire.Operation], error) {
	return wire.List[wire.Operation]{}, errSoon
}
func (a *App) Operation(ctx context.Context, c auth.Caller, o id.Operation) (wire.Operation, error) {
	return wire.Operation{}, errSoon
}
func (a *App) CancelOperation(ctx context.Context, c auth.Caller, o id.Operation) (wire.Operation, error) {
	return wire.Operation{}, errSoon
}
func (a *App) WaitOperation(ctx context.Context, c auth.Caller, o id.Operation, wait time.Duration) (wire.Operation, error) {
	return wire.Operation{}, errSoon
}

func (a *App) ListImages(ctx context.Context, c auth.Caller, r ListImages) (wire.List[wire.Image], error) {
	return wire.List[wire.Image]{}, errSoon
}
func (a *App) Image(ctx context.Context, c auth.Caller, ref string) (wire.Image, error) {
	return wire.Image{}, errSoon
}
func (a *App) DeleteImage(ctx context.Context, c auth.Caller, ref string) (ImageResult, error) {
	return ImageResult{}, errSoon
}
func (a *App) ImportImage(ctx context.Context, c auth.Caller, r ImportImage) (ImageResult, error) {
	return ImageResult{}, errSoon
}
func (a *App) ImageUpload(ctx context.Context, c auth.Caller, ref string) (wire.Image, error) {
	return wire.Image{}, errSoon
}

// AppendUpload writes bytes at offset; the last byte begins the import, whose operation is in the result then.
func (a *App) AppendUpload(ctx context.Context, c auth.Caller, ref string, offset int64, body io.Reader) (ImageResult, error) {
	return ImageResult{}, errSoon
}

func (a *App) ListNodes(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.Node], error) {
	return wire.List[wire.Node]{}, errSoon
}
func (a *App) Node(ctx context.Context, c auth.Caller, ref string) (wire.Node, error) {
	return wire.Node{}, errSoon
}
func (a *App) UpdateNode(ctx context.Context, c auth.Caller, ref string, r wire.UpdateNode, version int64) (wire.Node, error) {
	return wire.Node{}, errSoon
}
func (a *App) ConfirmNodeDead(ctx context.Context, c auth.Caller, ref string) (wire.Node, error) {
	return wire.Node{}, errSoon
}
func (a *App) RemoveNode(ctx context.Context, c auth.Caller, ref string) error { return errSoon }

// CreateJoinToken makes a one-use token that lets one machine join as a node.
func (a *App) CreateJoinToken(ctx context.Context, c auth.Caller, lifetime time.Duration) (token string, expires time.Time, err error) {
	return "", time.Time{}, errSoon
}

func (a *App) ListNetworks(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.Network], error) {
	return wire.List[wire.Network]{}, errSoon
}
func (a *App) Network(ctx context.Context, c auth.Caller, ref string) (wire.Network, error) {
	return wire.Network{}, errSoon
}

func (a *App) Events(ctx context.Context, c auth.Caller, r ReadEvents) (EventPage, error) {
	return EventPage{}, errSoon
}

// Subscription delivers events. Next blocks until there is one; fault.Precondition with code cursor_too_old: the history has to
// be read first.
type Subscription interface {
	Cursor() string
	Next(ctx context.Context) (wire.Event, error)
	Close()
}

// Subscribe delivers what the caller may see behind the cursor since (empty: from now on).
func (a *App) Subscribe(ctx context.Context, c auth.Caller, since string, topics []string) (Subscription, error) {
	return nil, errSoon
}

func (a *App) CreateUser(ctx context.Context, c auth.Caller, r CreateUser) (wire.User, error) {
	return wire.User{}, errSoon
}
func (a *App) ListUsers(ctx context.Context, c auth.Caller, r ListRequest) (wire.List[wire.User], error) {
	return wire.List[wire.User]{}, errSoon
}
func (a *App) User(ctx context.Context, c auth.Caller, ref string) (wire.User, error) {
	return wire.User{}, errSoon
}

// Observe takes what a node reports. Reports of one call go into one transaction.
func (a *App) Observe(ctx context.Context, node id.Node, reports []vm.Seen) error { return errSoon }
