package auth

import (
	"slices"
	"strings"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Reach says whose things a role is about.
type Reach string

// The reaches. Actions of the platform, which are asked without a tenant, do not depend on it.
const (
	OwnTenant    Reach = "own"   // of the tenant that the account acts in
	AllTenants   Reach = "all"   // of every tenant
	NamedTenants Reach = "named" // of the tenants that the role names
)

// Rights is what a role allows: each action, to the things within its reach.
type Rights struct {
	Actions []Action
	Reach   Reach
	Tenants []id.Tenant // with NamedTenants
}

// OwnRole is a role that an administrator made.
type OwnRole struct {
	Name        Role // unique, and stays
	Description string
	Rights      Rights
	Version     int64 // counted up by every change
	Created     time.Time
	Updated     time.Time
}

// Bounds of an own role.
const (
	MaxRoleName        = 32
	MaxRoleDescription = 200 // bytes
	MaxRoleTenants     = 100
)

// reserved may not be given by an own role: who has it can make administrators, or read files of the server.
var reserved = []Action{WriteAccount, WritePlatform}

// CheckRole refuses what cannot be an own role.
func CheckRole(r OwnRole) error {
	name := string(r.Name)
	switch {
	case name == "" || len(name) > MaxRoleName || name[0] < 'a' || name[0] > 'z' || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.HasSuffix(name, "-"):
		return fault.New(fault.Invalid, "role_name_invalid", "a role's name has 1 to %d small letters, digits and - and begins with a letter", MaxRoleName).On("name")
	case r.Name.Valid() || r.Name == System:
		return fault.New(fault.Conflict, "role_built_in", "%s is a built-in role; pick another name", r.Name).On("name")
	case len(r.Description) > MaxRoleDescription:
		return fault.New(fault.Invalid, "role_description_invalid", "a role's description has at most %d bytes", MaxRoleDescription).On("description")
	}
	return checkRights(r.Rights)
}

func checkRights(r Rights) error {
	for i, a := range r.Actions {
		switch {
		case !slices.Contains(Actions, a):
			return fault.New(fault.Invalid, "action_unknown", "there is no action %.80q; the role administrator lists them all", string(a)).On("actions")
		case slices.Contains(reserved, a):
			return fault.New(fault.Invalid, "action_reserved", "only administrators may have %s: who has it can make administrators or read the server's files", a).On("actions")
		case slices.Contains(r.Actions[:i], a):
			return fault.New(fault.Invalid, "action_twice", "%s stands there twice", a).On("actions")
		}
	}
	switch {
	case len(r.Actions) == 0:
		return fault.New(fault.Invalid, "actions_empty", "a role allows at least one action").On("actions")
	case r.Reach != OwnTenant && r.Reach != AllTenants && r.Reach != NamedTenants:
		return fault.New(fault.Invalid, "tenants_invalid", "tenants is own, all or named").On("tenants")
	case (r.Reach == NamedTenants) != (len(r.Tenants) > 0) || len(r.Tenants) > MaxRoleTenants:
		return fault.New(fault.Invalid, "tenant_ids_invalid", "a role with tenants named has 1 to %d tenant_ids, the others none", MaxRoleTenants).On("tenant_ids")
	}
	return nil
}

// RightsOf gives what a built-in role allows; none for others.
func RightsOf(r Role) Rights {
	switch {
	case r == Administrator || r == System:
		return Rights{Actions: Actions, Reach: AllTenants}
	case rights[r] != nil:
		return Rights{Actions: rights[r], Reach: OwnTenant}
	}
	return Rights{}
}

// rights of the caller: the built-in role's, or those that came with an own one.
func (c Caller) rights() Rights {
	if c.Role.Valid() || c.Role == System {
		return RightsOf(c.Role)
	}
	return c.Rights
}

// reaches reports whether things of the tenant are within reach of somebody who acts in own.
func (r Rights) reaches(tenant, own id.Tenant) bool {
	switch r.Reach {
	case AllTenants:
		return true
	case NamedTenants:
		return slices.Contains(r.Tenants, tenant)
	}
	return tenant == own
}
