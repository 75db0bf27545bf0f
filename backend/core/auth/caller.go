package auth

import (
	"slices"

	"novacron/backend/core/id"
)

// Role is what a person may do, in one word: a built-in one, or an OwnRole's name. May is the only place that reads a Role.
type Role string

// The built-in roles. Administrator: everything, in every tenant. Operator: what a developer may, and the nodes of the platform.
// Developer: everything with the things of the own tenant. Viewer: sees the things of the own tenant. System: the platform itself,
// never given to a person.
const (
	Administrator Role = "administrator"
	Operator      Role = "operator"
	Developer     Role = "developer"
	Viewer        Role = "viewer"
	System        Role = "system"
)

// Roles lists the built-in roles that can be given to a person, the mightiest first.
var Roles = []Role{Administrator, Operator, Developer, Viewer}

// Valid reports whether it is a built-in role that can be given to a person.
func (r Role) Valid() bool { return slices.Contains(Roles, r) }

// Caller is who asks for something, as the edge that authenticated them knows it. The zero value is nobody.
type Caller struct {
	User      id.User
	Name      string     // for records and logs
	Tenant    id.Tenant  // that it acts in: whose things a name means, whose lists it reads and whose quota it uses
	Chosen    bool       // Tenant was asked for, so lists keep to it even for who sees all; else it is the account's own one
	Role      Role       // in Tenant
	Rights    Rights     // of an own role
	Session   id.Session // the sign-in; empty for an API token and the local socket
	Token     id.Token   // the API token; empty: a sign-in
	Request   string     // id of the request, written beside what it causes
	Address   string     // of the client, likewise
	Enrolling bool       // a second factor is required and the account has none: it may do nothing but turn one on
	Scoped    bool       // an API token that allows no more than Scope
	Scope     []Action
}

// Platform is the caller for what the platform does by itself; name says which part, for example "reconcile/nodes".
func Platform(name string) Caller { return Caller{Name: name, Role: System} }

// String is how records name the caller.
func (c Caller) String() string {
	if c.Name != "" {
		return c.Name
	}
	return string(c.User)
}
