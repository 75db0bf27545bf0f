package app

import (
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
)

// The verbs take and give the shapes of core/wire wherever a person's request or answer is meant, so that the API does
// nothing but carry them. What stands here has no shape of its own on the wire.

// VMResult is the answer of a verb that acts on a VM: the VM as it is now and the operation to wait for. Operation is nil when
// nothing had to be done.
type VMResult struct {
	VM        wire.VM
	Operation *wire.Operation
}

func (r VMResult) reply() any { return wire.VMAnswer{VM: r.VM, Operation: r.Operation} }

// SnapshotResult is the answer of a verb that acts on a snapshot.
type SnapshotResult struct {
	Snapshot  wire.Snapshot
	Operation *wire.Operation
}

func (r SnapshotResult) reply() any {
	return wire.SnapshotAnswer{Snapshot: r.Snapshot, Operation: r.Operation}
}

// ImageResult is the answer of a verb that acts on an image.
type ImageResult struct {
	Image     wire.Image
	Operation *wire.Operation
}

func (r ImageResult) reply() any { return wire.ImageAnswer{Image: r.Image, Operation: r.Operation} }

// ListRequest is what every list takes. Limit 0 is the default of 100; more than 1000 is capped.
type ListRequest struct {
	Limit  int
	Cursor string
	Sort   string // a column of the list's, "-" in front for descending; empty: the list's own order
}

// ListVMs filters the list of VMs; empty fields do not filter.
type ListVMs struct {
	ListRequest
	Tenant id.Tenant
	Status vm.State
	Node   string // name or id
	Name   string // part of the name
	Image  string // digest

	Tags    []string // all of them
	Address string   // one, or the beginning of one
}

// ListOperations filters the list of operations; empty fields do not filter.
type ListOperations struct {
	ListRequest
	Subject string // "vm/<id>"
	Kind    string
	Status  string // a status, or "open" for all that have not ended
}

// ListImages filters the list of images; empty fields do not filter.
type ListImages struct {
	ListRequest
	Name string // part of the name
}

// ImportImage asks for an image. Where the bytes come from is one of: URL, Catalogue, File, or else an upload of Bytes bytes.
type ImportImage struct {
	wire.CreateImage
	File string // path on the server; administrators only
}

// ReadEvents reads the history behind a cursor. Empty Since: from the oldest event that is kept. Topics are types or prefixes
// with a star ("vm.*"); none means all. Newest gives the last of them instead of the first, oldest first all the same.
type ReadEvents struct {
	Since   string
	Newest  bool
	Topics  []string
	Subject string
	Limit   int
}

// EventPage is a part of the history. Next is the cursor to go on from, also when there was nothing.
type EventPage struct {
	Events []wire.Event
	Next   string
}

// Ticket opens one console once.
type Ticket struct {
	Secret string
	VM     id.VM
	Ends   time.Time
}

// Console is what a redeemed ticket allows.
type Console struct {
	Caller auth.Caller `json:"caller"`
	VM     id.VM       `json:"vm"`
	Kind   string      `json:"kind"` // serial, vnc or tcp
	Port   int         `json:"port"` // with tcp
	Mode   string      `json:"mode"` // ask, watch or take
}

// StateEvent is the data of vm.state.
type StateEvent struct {
	Name      string       `json:"name"`
	Status    vm.State     `json:"status"`
	Reason    string       `json:"reason,omitempty"`
	Previous  vm.State     `json:"previous"`
	Addresses []string     `json:"addresses,omitempty"`
	Operation id.Operation `json:"operation,omitempty"`
}
