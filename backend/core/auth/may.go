package auth

import (
	"slices"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Action is something that a caller may or may not do.
type Action string

// The actions. Those of a tenant's things are asked with the tenant that owns the thing, those of the platform with no tenant.
const (
	ReadVM         Action = "vm.read"
	WriteVM        Action = "vm.write"   // create, change, power, snapshots, delete
	UseConsole     Action = "vm.console" // type into a guest
	ReadOperation  Action = "operation.read"
	WriteOperation Action = "operation.write" // cancel
	ReadImage      Action = "image.read"
	WriteImage     Action = "image.write"
	ReadNetwork    Action = "network.read"
	ReadEvent      Action = "event.read"
	ReadPlatform   Action = "platform.read"  // nodes and what concerns no tenant
	WritePlatform  Action = "platform.write" // nodes, users, images from the server's own files
	PickNode       Action = "vm.pick_node"   // say where a VM runs, and see where it does
)

// Actions lists every action.
var Actions = []Action{
	ReadVM, WriteVM, UseConsole, ReadOperation, WriteOperation, ReadImage, WriteImage, ReadNetwork, ReadEvent, ReadPlatform,
	WritePlatform, PickNode,
}

var (
	viewer = []Action{ReadVM, ReadOperation, ReadImage, ReadNetwork, ReadEvent}
	member = append([]Action{WriteVM, UseConsole, WriteOperation, WriteImage}, viewer...)
)

// May decides whether the caller may do the action to something of the tenant; an empty tenant is the platform itself. The
// refusal is fault.Unauthenticated for nobody, fault.NotFound for what another tenant owns (its existence is nobody's
// business), and fault.Forbidden for what the role does not cover.
func May(c Caller, a Action, tenant id.Tenant) error {
	switch {
	case c.Role == System || c.Role == Administrator:
		return nil
	case c.Role == "" || c.User == "" && c.Name == "":
		return fault.New(fault.Unauthenticated, "", "sign in first")
	case tenant != "" && tenant != c.Tenant:
		return fault.New(fault.NotFound, "", "there is no such thing here")
	case c.Role == Member && slices.Contains(member, a), c.Role == Viewer && slices.Contains(viewer, a):
		return nil
	}
	return fault.New(fault.Forbidden, "", "the role %s does not allow %s; ask an administrator", c.Role, a)
}

// SeesAll reports whether the caller sees the things of every tenant.
func SeesAll(c Caller) bool { return c.Role == System || c.Role == Administrator }
