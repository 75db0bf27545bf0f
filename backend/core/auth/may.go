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
	WriteOperation Action = "operation.write" // cancel and retry
	ReadImage      Action = "image.read"
	WriteImage     Action = "image.write"
	ReadNetwork    Action = "network.read"
	ReadEvent      Action = "event.read"
	ReadPlatform   Action = "platform.read"  // nodes and what concerns no tenant
	WriteNode      Action = "node.write"     // join, cordon, remove nodes
	WritePlatform  Action = "platform.write" // what every tenant sees, and files of the server
	PickNode       Action = "vm.pick_node"   // say where a VM runs, and see where it does
	ReadAccount    Action = "account.read"   // the accounts of everybody
	WriteAccount   Action = "account.write"  // make, change and remove them, and roles
	WriteTenant    Action = "tenant.write"   // make, change and remove tenants, and their quotas
	ReadTenant     Action = "tenant.read"    // the own tenant, its quota and use
	ReadAudit      Action = "audit.read"
)

// Actions lists every action.
var Actions = []Action{
	ReadVM, WriteVM, UseConsole, ReadOperation, WriteOperation, ReadImage, WriteImage, ReadNetwork, ReadEvent, ReadPlatform, WriteNode,
	WritePlatform, PickNode, ReadAccount, WriteAccount, WriteTenant, ReadTenant, ReadAudit,
}

// rights are what each built-in role may do to the things of its own tenant and, for the actions that are asked without one, to the
// platform. Administrator and System may everything.
var rights = map[Role][]Action{
	Viewer:    {ReadVM, ReadOperation, ReadImage, ReadNetwork, ReadEvent, ReadTenant},
	Developer: {ReadVM, ReadOperation, ReadImage, ReadNetwork, ReadEvent, ReadTenant, WriteVM, UseConsole, WriteOperation, WriteImage},
	Operator: {ReadVM, ReadOperation, ReadImage, ReadNetwork, ReadEvent, ReadTenant, WriteVM, UseConsole, WriteOperation, WriteImage,
		ReadPlatform, WriteNode, PickNode},
}

// May decides whether the caller may do the action to something of the tenant; an empty tenant is the platform itself. The
// refusal is fault.Unauthenticated for nobody, fault.NotFound for what another tenant owns (its existence is nobody's
// business), and fault.Forbidden for what the role or the API token does not cover, and for who must turn a second factor on first.
func May(c Caller, a Action, tenant id.Tenant) error {
	r := c.rights()
	switch {
	case c.Role == "" || c.User == "" && c.Name == "":
		return fault.New(fault.Unauthenticated, "", "sign in first")
	case c.Enrolling:
		return NeedsFactor()
	case tenant != "" && tenant != c.Tenant && !r.reaches(tenant, c.Tenant):
		return fault.New(fault.NotFound, "", "there is no such thing here")
	case !slices.Contains(r.Actions, a):
		return fault.New(fault.Forbidden, "", "the role %s does not allow %s; ask an administrator", c.Role, a)
	case tenant != "" && !r.reaches(tenant, c.Tenant):
		return fault.New(fault.Forbidden, "", "the role %s is not about this tenant; choose one of its tenants", c.Role)
	case c.Scoped && !slices.Contains(c.Scope, a):
		return fault.New(fault.Forbidden, "scope", "this API token does not allow %s; make one with this scope", a)
	}
	return nil
}

// NeedsFactor is the refusal of whatever somebody asks who must turn a second factor on first.
func NeedsFactor() *fault.Error {
	return fault.New(fault.Forbidden, "second_factor_needed", "a second factor is required here and this account has none; turn one on in the console or with `novacron account factor on`")
}

// SeesAll reports whether the action covers the things of every tenant, so that lists show them all.
func SeesAll(c Caller, a Action) bool {
	r := c.rights()
	return r.Reach == AllTenants && slices.Contains(r.Actions, a)
}
