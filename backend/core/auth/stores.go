package auth

import (
	"context"
	"time"

	"novacron/backend/core/id"
)

// What stands here is owed by whatever keeps accounts and sessions. The tests of this package say what each owes and run on
// real engines; packages store and session implement them.

// Account is who may sign in. Its password is never read back.
type Account struct {
	ID       id.User // given by Create
	Tenant   id.Tenant
	Username string // unique after Unicode normalisation and case folding
	Email    string // likewise
	Role     Role
	Disabled bool  // may not sign in
	Version  int64 // counted up by every change
	Created  time.Time
	Updated  time.Time
}

// Accounts keeps accounts and the hashes of their passwords.
type Accounts interface {
	// Create adds an account with its password and sets ID, Version and times. fault.Invalid: a name, an address or a password that
	// is refused; fault.Conflict: the user name or the address is taken.
	Create(ctx context.Context, a *Account, password string) error
	// Get reads an account; fault.NotFound: there is none. So do its siblings.
	Get(ctx context.Context, u id.User) (Account, error)
	GetByUsername(ctx context.Context, username string) (Account, error)
	GetByEmail(ctx context.Context, email string) (Account, error)
	// List gives the accounts of a tenant, of all tenants when it is empty, sorted by user name, a page at a time. next is empty
	// behind the last page.
	List(ctx context.Context, tenant id.Tenant, cursor string, limit int) (page []Account, next string, err error)
	// Update writes everything but ID and Tenant. fault.Precondition: the account was changed since a was read.
	Update(ctx context.Context, a *Account) error
	// Delete removes an account; absent is success.
	Delete(ctx context.Context, u id.User) error
	// SetPassword replaces the password. fault.Invalid: it is refused.
	SetPassword(ctx context.Context, u id.User, password string) error
	// VerifyPassword returns nil if the password is the account's, and fault.Unauthenticated if it is not, or the account is disabled
	// or absent, in about the same time.
	VerifyPassword(ctx context.Context, u id.User, password string) error
}

// RoleStore keeps who has which role.
type RoleStore interface {
	// Assign gives an account a role, built-in or own. fault.Invalid: there is no such role to give.
	Assign(ctx context.Context, u id.User, r Role) error
	// RoleOf reads it; fault.NotFound: there is no such account.
	RoleOf(ctx context.Context, u id.User) (Role, error)
	// CountRole counts the accounts with the role in their own tenant that are not disabled.
	CountRole(ctx context.Context, r Role) (int, error)
}

// OwnRoles keeps the roles that administrators made.
type OwnRoles interface {
	// Create adds a role and sets Version and times. fault.Invalid: it cannot be one; fault.Conflict: the name is taken.
	Create(ctx context.Context, r *OwnRole) error
	// Get reads a role; fault.NotFound: there is none.
	Get(ctx context.Context, name Role) (OwnRole, error)
	// List gives all roles, sorted by name.
	List(ctx context.Context) ([]OwnRole, error)
	// Update writes description and rights. fault.Precondition: the role was changed since r was read.
	Update(ctx context.Context, r *OwnRole) error
	// Delete removes a role; absent is success. fault.Conflict: somebody has it, be it by a membership.
	Delete(ctx context.Context, name Role) error
}

// Tenant is an owner of things.
type Tenant struct {
	ID      id.Tenant // given by Create
	Name    string    // unique after Unicode normalisation and case folding
	Version int64     // counted up by every change
	Created time.Time
	Updated time.Time
}

// Tenants keeps tenants.
type Tenants interface {
	// Create adds a tenant and sets ID, Version and times. fault.Conflict: the name is taken.
	Create(ctx context.Context, t *Tenant) error
	// Get reads a tenant; fault.NotFound: there is none. So does GetByName.
	Get(ctx context.Context, t id.Tenant) (Tenant, error)
	GetByName(ctx context.Context, name string) (Tenant, error)
	// List gives tenants sorted by name, a page at a time. next is empty behind the last page.
	List(ctx context.Context, cursor string, limit int) (page []Tenant, next string, err error)
	// Update writes the name. fault.Precondition: the tenant was changed since t was read.
	Update(ctx context.Context, t *Tenant) error
	// Delete removes a tenant; absent is success. fault.Conflict: it still owns something or has members.
	Delete(ctx context.Context, t id.Tenant) error
}

// Memberships keeps in which tenants accounts act beside their own one.
type Memberships interface {
	// Put gives an account a role in a tenant, or another role there, and sets Created. fault.Invalid and fault.Conflict: it cannot be
	// one; fault.NotFound: there is no such account or tenant; fault.Exhausted: the account has MaxMemberships.
	Put(ctx context.Context, m *Membership) error
	// Of lists the memberships of an account, sorted by the tenant's name.
	Of(ctx context.Context, u id.User) ([]Membership, error)
	// Remove ends one, and the API tokens that act there; absent is success.
	Remove(ctx context.Context, u id.User, t id.Tenant) error
}

// Login is a sign-in: what a session list shows.
type Login struct {
	ID      id.Session
	User    id.User
	Created time.Time
	Seen    time.Time // the last refresh
	Ends    time.Time // when it ends unless it is refreshed
	Address string    // the client's address at sign-in
	Agent   string    // the client's own name for itself, cut to 256 bytes
}

// Sessions keeps sign-ins. An ended one is as absent as one that never was.
type Sessions interface {
	// Begin stores a sign-in and gives its refresh token, which is kept only as a hash.
	Begin(ctx context.Context, user id.User, address, agent string) (Login, string, error)
	// Refresh exchanges a refresh token for the next. A token that was exchanged before, whenever that was, is stolen: the sign-in ends.
	// Only the one that was exchanged less than grace ago gives the same next one again: two pages of a browser may ask at once, and a page
	// that is loaded again does not hear what it asked. Whatever is wrong with the token is fault.Unauthenticated.
	Refresh(ctx context.Context, token string, grace time.Duration) (l Login, next string, err error)
	// Find gives a sign-in that has not ended; else fault.NotFound.
	Find(ctx context.Context, s id.Session) (Login, error)
	// Of lists the sign-ins of a user that have not ended, newest first.
	Of(ctx context.Context, user id.User) ([]Login, error)
	// End ends one sign-in; it may be repeated.
	End(ctx context.Context, s id.Session) error
	// EndAll ends all sign-ins of the user but keep, which may be empty.
	EndAll(ctx context.Context, user id.User, keep id.Session) error
	// EndEverybodys ends every sign-in that is there when it is called; it may be repeated.
	EndEverybodys(ctx context.Context) error
}

// Claims is what an access token says. Sub, jti and sid are its names on the wire.
type Claims struct {
	User    id.User    // sub
	Token   string     // jti
	Session id.Session // sid; empty: the token stands for itself
	Issued  time.Time  // iat, whole seconds
	Expires time.Time  // exp, whole seconds
}

// Revocations remembers access tokens that were withdrawn before their end.
type Revocations interface {
	// Revoke withdraws a token by its jti until it would have ended by itself.
	Revoke(ctx context.Context, jti string, until time.Time) error
	// Check returns nil if the token is not revoked and its sign-in has not ended, else fault.Unauthenticated.
	Check(ctx context.Context, c Claims) error
}
