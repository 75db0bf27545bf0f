package auth

import "novacron/backend/core/id"

// Role is what a person may do, in one word. Own roles with single permissions come with the accounts work; May is the only
// place that reads a Role.
type Role string

// The built-in roles. Administrator: everything, in every tenant. Member: everything with the things of the own tenant.
// Viewer: sees the things of the own tenant. System: the platform itself, never given to a person.
const (
	Administrator Role = "administrator"
	Member        Role = "member"
	Viewer        Role = "viewer"
	System        Role = "system"
)

// Valid reports whether the role can be given to a person.
func (r Role) Valid() bool { return r == Administrator || r == Member || r == Viewer }

// Caller is who asks for something, as the edge that authenticated them knows it. The zero value is nobody.
type Caller struct {
	User    id.User
	Name    string // for records and logs
	Tenant  id.Tenant
	Role    Role
	Session id.Session // the sign-in; empty for an API token and the local socket
	Request string     // id of the request, written beside what it causes
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
