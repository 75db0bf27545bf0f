package auth

import (
	"reflect"
	"slices"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// MaxMemberships bounds the tenants that an account may act in beside its own one.
const MaxMemberships = 100

// Membership lets an account act in a tenant beside its own one, in a role that counts there. What it is in its own tenant stands in
// the Account.
type Membership struct {
	User    id.User
	Tenant  id.Tenant
	Role    Role
	Created time.Time
}

// CheckMembership refuses what cannot be a membership of an account whose own tenant is home. Whether the role is there is for its
// keeper to know.
func CheckMembership(m Membership, home id.Tenant) error {
	switch {
	case m.Tenant == home:
		return fault.New(fault.Conflict, "own_tenant", "this is the account's own tenant; change its role there with the account itself").On("tenant")
	case m.Role == Administrator:
		return fault.New(fault.Invalid, "role_invalid", "administrators act in every tenant, so nobody is one of a single tenant; change the role of the account instead").On("role")
	}
	return nil
}

// MayAct decides whether the account may act in the tenant that c names: its own one, home; one that it is a member of; or one that
// its own role reaches. The refusal is the same whether there is such a tenant or not.
func MayAct(c Caller, home id.Tenant, member bool) error {
	if c.Tenant == home || member || c.Tenant != "" && c.rights().reaches(c.Tenant, home) {
		return nil
	}
	return NotMember()
}

// NotMember is the refusal of who chooses a tenant that is not theirs, or is none.
func NotMember() *fault.Error {
	return fault.New(fault.Forbidden, "not_a_member", "this account acts in no tenant of that name; `novacron account tenants` lists those that it does")
}

// SameRights reports whether two callers may do the same to the same things, so that what was opened by one may go on as the other.
func SameRights(a, b Caller) bool {
	return a.User == b.User && a.Tenant == b.Tenant && a.Chosen == b.Chosen && a.Role == b.Role && a.Enrolling == b.Enrolling &&
		reflect.DeepEqual(a.Rights, b.Rights) && a.Scoped == b.Scoped && slices.Equal(a.Scope, b.Scope)
}
