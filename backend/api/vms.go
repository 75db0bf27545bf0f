package api

import (
	"context"
	"strings"

	"novacron/backend/app"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// Act is a verb on a VM that needs nothing but its name.
type Act struct {
	Ref
	Waiter
}

func (a *API) addVMs() {
	const tag = "VMs"
	add(a, may(auth.ReadVM), "GET /api/v1/vms", op("listVMs", "List VMs", tag), a.listVMs)
	add(a, may(auth.WriteVM), "POST /api/v1/vms", op("createVM", "Create a VM", tag), func(ctx context.Context, in *struct {
		Waiter
		Body wire.CreateVM
	}) (*vmAnswer, error) {
		res, err := a.App.CreateVM(ctx, caller(ctx), in.Body)
		return a.answerVM(ctx, res, err, in.Wait)
	})
	add(a, govern(auth.PickNode), "POST /api/v1/placements", op("previewVM", "Where a VM would be put now, and why not elsewhere; nothing is reserved", tag), func(ctx context.Context, in *struct{ Body wire.CreateVM }) (*body[wire.Placement], error) {
		return answer(a.App.PreviewVM(ctx, caller(ctx), in.Body))
	})
	add(a, may(auth.ReadVM), "GET /api/v1/vms/{id}", op("getVM", "Show a VM", tag), func(ctx context.Context, in *Ref) (*body[wire.VM], error) {
		v, err := a.App.VM(ctx, caller(ctx), in.ID)
		if err != nil {
			return nil, err
		}
		return &body[wire.VM]{ETag: etag(v.Version), Body: v}, nil
	})
	add(a, may(auth.ReadVM), "GET /api/v1/vms/{id}/audit", op("listVMChanges", "Who did what to a VM, newest first", tag), func(ctx context.Context, in *struct {
		Ref
		Lister
	}) (*body[wire.List[wire.VMChange]], error) {
		return answer(a.App.VMAudit(ctx, caller(ctx), in.ID, in.request()))
	})
	add(a, may(auth.WriteVM), "PATCH /api/v1/vms/{id}", op("updateVM", "Change a VM", tag), func(ctx context.Context, in *struct {
		Ref
		Waiter
		IfMatched
		Body wire.UpdateVM
	}) (*vmAnswer, error) {
		version, err := versionOf(in.IfMatch)
		if err != nil {
			return nil, err
		}
		res, err := a.App.UpdateVM(ctx, caller(ctx), in.ID, in.Body, version)
		return a.answerVM(ctx, res, err, in.Wait)
	})
	add(a, may(auth.WriteVM), "DELETE /api/v1/vms/{id}", op("deleteVM", "Delete a VM with its disks and snapshots", tag), func(ctx context.Context, in *struct {
		Ref
		Waiter
		IfMatched
	}) (*operationAnswer, error) {
		version, err := versionOf(in.IfMatch)
		if err != nil {
			return nil, err
		}
		res, err := a.App.DeleteVM(ctx, caller(ctx), in.ID, version)
		return a.answerGone(ctx, res.Operation, err, in.Wait)
	})
	a.addPower(tag)
	a.addSnapshots()
}

func (a *API) listVMs(ctx context.Context, in *struct {
	Lister
	Status vm.State  `query:"status" enum:"creating,stopped,starting,running,stopping,paused,suspended,migrating,error,unknown"`
	Node   string    `query:"node" maxLength:"100" doc:"Id or name"`
	Name   string    `query:"name" maxLength:"100" doc:"Part of the name"`
	Image  string    `query:"image" maxLength:"100" doc:"Digest"`
	Tenant id.Tenant `query:"tenant" maxLength:"100"`

	Tag     string `query:"tag" maxLength:"1100" doc:"A tag; of several with commas between, the VMs that have all"`
	Address string `query:"address" maxLength:"100" doc:"An address of the VM, or the beginning of one"`
}) (*body[wire.List[wire.VMSummary]], error) {
	return answer(a.App.ListVMs(ctx, caller(ctx), app.ListVMs{ListRequest: in.request(), Status: in.Status, Node: in.Node, Name: in.Name, Image: in.Image, Tenant: in.Tenant,
		Tags: parted(in.Tag), Address: in.Address}))
}

// parted gives the words between commas; none of an empty text.
func parted(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (a *API) addPower(tag string) {
	simple := func(verb, summary string, f func(context.Context, auth.Caller, string) (app.VMResult, error)) {
		add(a, may(auth.WriteVM), "POST /api/v1/vms/{id}/"+verb, op(verb+"VM", summary, tag), func(ctx context.Context, in *Act) (*vmAnswer, error) {
			res, err := f(ctx, caller(ctx), in.ID)
			return a.answerVM(ctx, res, err, in.Wait)
		})
	}
	simple("start", "Start a VM", a.App.StartVM)
	simple("pause", "Halt the vCPUs", a.App.PauseVM)
	simple("resume", "Go on after a pause or a suspend", a.App.ResumeVM)
	simple("suspend", "Save the memory to disk and end the process", a.App.SuspendVM)
	stopping := func(verb, summary string, f func(context.Context, auth.Caller, string, wire.StopVM) (app.VMResult, error)) {
		add(a, may(auth.WriteVM), "POST /api/v1/vms/{id}/"+verb, op(verb+"VM", summary, tag), func(ctx context.Context, in *struct {
			Act
			Body *wire.StopVM
		}) (*vmAnswer, error) {
			var how wire.StopVM
			if in.Body != nil {
				how = *in.Body
			}
			res, err := f(ctx, caller(ctx), in.ID, how)
			return a.answerVM(ctx, res, err, in.Wait)
		})
	}
	stopping("stop", "Stop a VM: ask the guest, then end it", a.App.StopVM)
	stopping("restart", "Stop and start a VM", a.App.RestartVM)
	add(a, may(auth.WriteVM), "POST /api/v1/vms/{id}/clone", op("cloneVM", "Copy a VM", tag), func(ctx context.Context, in *struct {
		Act
		Body wire.CloneVM
	}) (*vmAnswer, error) {
		res, err := a.App.CloneVM(ctx, caller(ctx), in.ID, in.Body)
		return a.answerVM(ctx, res, err, in.Wait)
	})
	// Watching needs less than typing: the verb knows which is asked for.
	add(a, may(auth.ReadVM).unkept(), "POST /api/v1/vms/{id}/console", op("openConsole", "Get a one-use ticket for a console", tag), a.ticket)
}

func (a *API) ticket(ctx context.Context, in *struct {
	Ref
	Body *wire.ConsoleWish
}) (*body[wire.ConsoleTicket], error) {
	var wish wire.ConsoleWish
	if in.Body != nil {
		wish = *in.Body
	}
	if wish.Kind == "" {
		wish.Kind = "serial"
	}
	if wish.Mode == "" {
		wish.Mode = modeAsk
	}
	t, err := a.App.IssueConsoleTicket(ctx, caller(ctx), in.ID, wish)
	if err != nil {
		return nil, err
	}
	path := "/ws/console/" + string(t.VM) + "?kind=" + wish.Kind + "&mode=" + wish.Mode
	return &body[wire.ConsoleTicket]{Body: wire.ConsoleTicket{Ticket: t.Secret, Subprotocol: wire.TicketProtocol + t.Secret, Path: path, ExpiresAt: t.Ends}}, nil
}

// SnapshotRef names a snapshot of a VM.
type SnapshotRef struct {
	Ref
	Snapshot string `path:"snapshot" maxLength:"100" doc:"Id or name"`
}

func (a *API) addSnapshots() {
	const tag = "Snapshots"
	add(a, may(auth.ReadVM), "GET /api/v1/vms/{id}/snapshots", op("listSnapshots", "List the snapshots of a VM", tag), func(ctx context.Context, in *Ref) (*body[wire.List[wire.Snapshot]], error) {
		all, err := a.App.ListSnapshots(ctx, caller(ctx), in.ID)
		return answer(wire.List[wire.Snapshot]{Items: all, Total: len(all)}, err)
	})
	add(a, may(auth.WriteVM), "POST /api/v1/vms/{id}/snapshots", op("createSnapshot", "Take a snapshot", tag), func(ctx context.Context, in *struct {
		Act
		Body *wire.CreateSnapshot
	}) (*snapshotAnswer, error) {
		var r wire.CreateSnapshot
		if in.Body != nil {
			r = *in.Body
		}
		res, err := a.App.CreateSnapshot(ctx, caller(ctx), in.ID, r)
		return a.answerSnapshot(ctx, res.Snapshot.VM, res, err, in.Wait)
	})
	add(a, may(auth.ReadVM), "GET /api/v1/vms/{id}/snapshots/{snapshot}", op("getSnapshot", "Show a snapshot", tag), func(ctx context.Context, in *SnapshotRef) (*body[wire.Snapshot], error) {
		return answer(a.App.Snapshot(ctx, caller(ctx), in.ID, in.Snapshot))
	})
	add(a, may(auth.WriteVM), "POST /api/v1/vms/{id}/snapshots/{snapshot}/revert", op("revertSnapshot", "Put a VM back to a snapshot", tag), func(ctx context.Context, in *struct {
		SnapshotRef
		Waiter
	}) (*snapshotAnswer, error) {
		res, err := a.App.RevertSnapshot(ctx, caller(ctx), in.ID, in.Snapshot)
		return a.answerSnapshot(ctx, res.Snapshot.VM, res, err, in.Wait)
	})
	add(a, may(auth.WriteVM), "DELETE /api/v1/vms/{id}/snapshots/{snapshot}", op("deleteSnapshot", "Delete a snapshot", tag), func(ctx context.Context, in *struct {
		SnapshotRef
		Waiter
	}) (*operationAnswer, error) {
		res, err := a.App.DeleteSnapshot(ctx, caller(ctx), in.ID, in.Snapshot)
		return a.answerGone(ctx, res.Operation, err, in.Wait)
	})
}
