package app

import (
	"context"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// vmOf reads the subject of an operation or event.
func vmOf(subject string) (id.VM, bool) {
	rest, ok := strings.CutPrefix(subject, "vm/")
	rest, _, _ = strings.Cut(rest, "/")
	return id.VM(rest), ok
}

// addresses are the guest's own where it says any, else those that its networks gave it.
func addresses(seen []string, nics []vm.NIC) []string {
	if len(seen) > 0 {
		return seen
	}
	given := []string{}
	for _, n := range nics {
		if n.Address != "" {
			given = append(given, n.Address)
		}
	}
	return given
}

// summaryView is a VM in a list. Its status is computed here as everywhere; the stored one serves filters only.
func summaryView(v store.VMSummary, c auth.Caller) wire.VMSummary {
	state, reason := vm.Status(v.Power, vm.Seen{State: v.SeenState, Reason: v.SeenReason}, doing(v.Doing), answers(v.Node, v.NodeState))
	return wire.VMSummary{
		ID: v.ID, Name: v.Name, Tenant: v.Tenant, Node: nodeName(v.NodeName, c), NodeID: nodeName(v.Node, c), Status: state, StatusReason: reason,
		Addresses: list(v.Addresses), Image: v.Image, CPUs: v.CPUs, MemoryMiB: v.MemoryMiB, DiskGiB: v.DiskGiB,
		Tags: list(v.Tags), CreatedAt: v.Created, Version: v.Version,
	}
}

// nodeName hides the platform's machines from callers who may not see them.
func nodeName[T ~string](name T, c auth.Caller) T {
	if auth.May(c, auth.PickNode, "") != nil {
		return ""
	}
	return name
}

// vmView is the whole of a VM.
func vmView(ctx context.Context, r *store.Reader, v store.VMView, c auth.Caller) (wire.VM, error) {
	cond, err := condition(ctx, r, v)
	if err != nil {
		return wire.VM{}, err
	}
	state, reason := statusOf(v)
	seen := seenOf(v)
	disk := 0
	for _, d := range v.Spec.Disks {
		disk += d.SizeGiB
	}
	snapshots, err := r.CountSnapshots(ctx, v.ID)
	if err != nil {
		return wire.VM{}, err
	}
	nics := make([]wire.NIC, len(v.Spec.NICs))
	for i, n := range v.Spec.NICs {
		w, err := r.Network(ctx, n.Network)
		if err != nil {
			return wire.VM{}, err
		}
		nics[i] = wire.NIC{NIC: n, NetworkName: w.Name}
	}
	return wire.VM{
		VMSummary: wire.VMSummary{
			ID: v.ID, Name: v.Name, Tenant: v.Tenant, Node: nodeName(v.NodeName, c), NodeID: nodeName(v.Node, c), Status: state, StatusReason: reason,
			Addresses: addresses(seen.Addresses, v.Spec.NICs), Image: v.Spec.Image, CPUs: v.Spec.CPUs, MemoryMiB: v.Spec.MemoryMiB,
			DiskGiB: disk, Tags: list(v.Tags), CreatedAt: v.Created, Version: v.Version,
		},
		Actions: actionsFor(cond, v.Tenant, c), Description: v.Description, Wanted: v.Power, Arch: v.Spec.Arch, Firmware: v.Spec.Firmware,
		SecureBoot: v.Spec.Secure, TPM: v.Spec.TPM, Display: v.Spec.Display, Disks: list(v.Spec.Disks), NICs: nics, Protected: v.Spec.Protected,
		Forwards: list(v.Spec.Forwards), SSHKeys: list(v.Spec.SSHKeys), UserData: v.Spec.UserData, Autostart: v.Spec.Autostart,
		Restart: v.Spec.Restart, MachineType: v.MachineType, CPUModel: v.CPUModel, Accel: seen.Accel, Hostname: seen.Hostname,
		GuestAgent: seen.Agent, SSH: seen.SSH, RestartRequired: list(seen.Restart), UpdatedAt: v.Updated,
		LinkedClones: list(cond.Linked), SnapshotCount: snapshots, OperationID: v.Doing.Operation,
	}, nil
}

// actionsFor is what this caller may do to the VM now. What the role forbids says so, before anybody tries; a console may be watched by
// whoever sees the VM.
func actionsFor(cond vm.Condition, owner id.Tenant, c auth.Caller) map[vm.Verb]vm.Decision {
	all := vm.Actions(cond)
	err := auth.May(c, auth.WriteVM, owner)
	for verb := range all {
		if err != nil && verb != vm.VerbConsole {
			all[verb] = vm.Decision{Why: fault.Sentence(err)}
		}
	}
	return all
}

// list makes sure that JSON shows an empty list and not null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func operationView(r op.Record) wire.Operation {
	o := wire.Operation{
		ID: r.ID, Kind: r.Kind, Tenant: r.Tenant, Subject: r.Subject, SubjectName: r.Name, Caller: r.Caller, Status: string(r.Status), Step: r.Step,
		Steps: list(r.Names), Progress: r.Progress, Sentence: r.Sentence, CancelRequested: r.Cancel, CreatedAt: r.Created,
		UpdatedAt: r.Updated, EndedAt: timeOrNil(r.Ended),
	}
	if r.Error != nil {
		o.Error = &wire.OperationProblem{Kind: r.Error.Kind, Code: r.Error.Code, Message: r.Error.Message}
	}
	return o
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// result reads what a verb answers, in the transaction that did it.
func (a *App) result(ctx context.Context, t *store.Tx, c auth.Caller, v id.VM, o *op.Record) (VMResult, error) {
	view, err := t.VMView(ctx, v)
	if err != nil {
		return VMResult{}, err
	}
	out := VMResult{}
	if out.VM, err = vmView(ctx, &t.Reader, view, c); err != nil {
		return VMResult{}, err
	}
	if o != nil {
		w := operationView(*o)
		out.Operation = &w
	}
	return out, nil
}

// mapped gives a page in the shape of the wire.
func mapped[A, B any](l store.List[A], f func(A) B) wire.List[B] {
	out := wire.List[B]{Items: make([]B, len(l.Items)), NextCursor: l.Next, Total: l.Total}
	for i, v := range l.Items {
		out.Items[i] = f(v)
	}
	return out
}

func (r ListRequest) page() store.Page {
	return store.Page{Limit: r.Limit, Cursor: r.Cursor, Sort: r.Sort}
}
