package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// User is an account.
type User struct {
	ID           id.User
	Tenant       id.Tenant
	Username     string // unique, whatever the case
	Email        string // likewise
	PasswordHash string
	Role         auth.Role
	Disabled     bool
	Unverified   bool  // nobody has shown yet that mail to Email is read
	Version      int64 // counted up by UpdateUser
	Created      time.Time
	Updated      time.Time
}

const userColumns = "u.id, u.tenant, u.username, u.email, u.password_hash, u.role, u.disabled, u.unverified, u.version, u.created_at, u.updated_at"

func scanUser(r row) (u User, err error) {
	return u, r.Scan(&u.ID, &u.Tenant, &u.Username, &u.Email, &u.PasswordHash, &u.Role, &u.Disabled, &u.Unverified, &u.Version,
		stamped{&u.Created}, stamped{&u.Updated})
}

// User reads an account. fault.NotFound: there is none.
func (r *Reader) User(ctx context.Context, u id.User) (User, error) {
	return one(ctx, r, notFound("user", "user", u), scanUser, "select "+userColumns+" from users u where u.id = $1"+r.lock, u)
}

// Standing is an account with what decides, on each of its requests, what it may do in the tenant that it acts in.
type Standing struct {
	User
	Acting     id.Tenant // its own one, or the one that was chosen
	ActingName string
	Member     auth.Role   // of its membership in Acting; empty: it has none, as in its own tenant
	Rights     auth.Rights // of an own role, that of the membership where there is one
	Requires   bool        // a second factor, by its own tenant or Acting
	HasFactor  bool        // a TOTP secret that is turned on, or a passkey
}

// As is the role in which it acts.
func (s Standing) As() auth.Role {
	if s.Member != "" {
		return s.Member
	}
	return s.Role
}

// Place is an account and the tenant that it chose to act in, empty for its own one.
type Place struct {
	User   id.User
	Tenant id.Tenant
}

// Standing reads an account as it stands at this moment in its own tenant, or in the one that it chose by id or name. That it may is not
// said by this. fault.NotFound: there is no such account, or no such tenant.
func (r *Reader) Standing(ctx context.Context, u id.User, chosen string) (Standing, error) {
	tenant, name := "", ""
	if IsTenantID(chosen) {
		tenant = chosen
	} else {
		name = Fold(chosen)
	}
	return one(ctx, r, notFound("user", "user", u), scanStanding, standingQuery(1), true, u, tenant, name)
}

// IsTenantID reports whether a tenant is named by its id and not by its name.
func IsTenantID(ref string) bool { return strings.HasPrefix(ref, "ten-") && id.Is(ref) }

// standingQuery asks for so many places: an account, and the id or the name of a tenant.
func standingQuery(places int) string {
	rows := make([]string, places)
	for i := range rows {
		rows[i] = fmt.Sprintf("($%d, $%d, $%d)", 3*i+2, 3*i+3, 3*i+4)
	}
	return "select " + userColumns + `, c.id, c.name, coalesce(m.role, ''), h.require_factor or c.require_factor,
	exists (select 1 from second_factors f where f.user_id = u.id and f.enabled = $1) or exists (select 1 from passkeys k where k.user_id = u.id),
	coalesce(r.actions, ''), coalesce(r.reach, ''), coalesce(r.tenants, '')
	from (values ` + strings.Join(rows, ", ") + `) p join users u on u.id = p.column1 join tenants h on h.id = u.tenant
	join tenants c on c.id = case when p.column2 <> '' then p.column2 when p.column3 <> '' then (select n.id from tenants n where n.name_folded = p.column3) else u.tenant end
	left join memberships m on m.user_id = u.id and m.tenant = c.id and c.id <> u.tenant left join roles r on r.name = coalesce(m.role, u.role)`
}

// Standings reads many accounts at once, each as it stands in its place; absent ones are left out.
func (r *Reader) Standings(ctx context.Context, at []Place) (map[Place]Standing, error) {
	out := map[Place]Standing{}
	for part := range slices.Chunk(at, inList) {
		args := []any{true}
		for _, p := range part {
			args = append(args, p.User, p.Tenant, "")
		}
		all, err := many(ctx, r, scanStanding, standingQuery(len(part)), args...)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			out[Place{s.ID, s.Acting}] = s
			if s.Acting == s.Tenant {
				out[Place{s.ID, ""}] = s
			}
		}
	}
	return out, nil
}

// inList is how many values one statement asks for.
const inList = 500

func anys[T any](all []T) []any {
	out := make([]any, len(all))
	for i, v := range all {
		out[i] = v
	}
	return out
}

func scanStanding(r row) (s Standing, err error) {
	s.User, err = scanUser(behind{r, []any{&s.Acting, &s.ActingName, &s.Member, &s.Requires, &s.HasFactor, decoded{&s.Rights.Actions}, &s.Rights.Reach, decoded{&s.Rights.Tenants}}})
	return s, err
}

// behind scans more columns behind those that a scanner knows.
type behind struct {
	row
	more []any
}

// Scan fills dest, and then more.
func (b behind) Scan(dest ...any) error { return b.row.Scan(append(dest, b.more...)...) }

// UserByLogin reads the account of this user name or else this e-mail address, in any case. fault.NotFound: there is none.
func (r *Reader) UserByLogin(ctx context.Context, login string) (User, error) {
	return one(ctx, r, notFound("user", "user", login), scanUser, "select "+userColumns+` from users u
		where u.username_folded = $1 or u.email_folded = $1 order by case when u.username_folded = $1 then 0 else 1 end limit 1`, Fold(login))
}

// CountUsers counts the accounts with the role, disabled ones left out; with any role when it is empty.
func (r *Reader) CountUsers(ctx context.Context, role auth.Role) (int, error) {
	return one(ctx, r, nil, func(row row) (n int, err error) { return n, row.Scan(&n) },
		"select count(*) from users where disabled = $2 and (role = $1 or cast($1 as text) = '')", role, false)
}

var userListing = listing[User]{
	columns: userColumns, table: "users u", key: "u.id", order: "username",
	sorts: map[string]sorting[User]{
		"username":   {"u.username_folded", func(u User) string { return Fold(u.Username) }},
		"created_at": {"u.created_at", func(u User) string { return u.Created.Format(timeFormat) }},
	},
	scan:  scanUser,
	keyOf: func(u User) string { return string(u.ID) },
}

// UserFilter narrows a list of users. Zero fields do not.
type UserFilter struct {
	Tenant id.Tenant
	Name   string // part of the user name, in any case
}

// ListUsers gives a page of accounts, sorted by username or created_at.
func (r *Reader) ListUsers(ctx context.Context, f UserFilter, p Page) (List[User], error) {
	var where filter
	where.text("u.tenant", string(f.Tenant))
	where.part("u.username_folded", f.Name)
	return list(ctx, r, userListing, where, p)
}

// InsertUser adds the account. fault.Conflict with code username_taken or email_taken: another account has it, or a user name that looks
// the same. fault.Invalid: there is no such role.
func (t *Tx) InsertUser(ctx context.Context, u *User) error {
	if err := t.HoldRole(ctx, u.Role); err != nil {
		return err
	}
	if err := t.lookAlike(ctx, u); err != nil {
		return err
	}
	u.Version, u.Created = 1, orNow(u.Created)
	u.Updated = u.Created
	n, err := t.exec(ctx, `insert into users (id, tenant, username, username_folded, email, email_folded, password_hash, role, disabled,
		unverified, version, created_at, updated_at, username_skeleton) values (`+places(1, 14)+`) on conflict do nothing`, u.ID, u.Tenant, u.Username, Fold(u.Username),
		u.Email, Fold(u.Email), u.PasswordHash, u.Role, u.Disabled, u.Unverified, u.Version, stamp(u.Created), stamp(u.Updated), auth.Skeleton(u.Username))
	if err == nil && n == 0 {
		return t.userTaken(ctx, u)
	}
	return err
}

// lookAlike refuses a new user name that cannot be told from another one. Its lock makes two such names come one after the other.
func (t *Tx) lookAlike(ctx context.Context, u *User) error {
	if err := t.Lock(ctx, "usernames"); err != nil {
		return err
	}
	twin, err := one(ctx, &t.Reader, nil, func(r row) (name string, err error) { return name, r.Scan(&name) },
		`select username from users where username_skeleton = $1 and username_folded <> $2 and id <> $3
		and not exists (select 1 from users o where o.id = $3 and o.username_folded = $2) limit 1`, auth.Skeleton(u.Username), Fold(u.Username), u.ID)
	if err == nil && twin != "" {
		return fault.New(fault.Conflict, "username_taken", "there is already a user whose name looks like %q; pick another name", u.Username).On("username")
	}
	return err
}

// FillSkeletons gives every account that has none what its user name looks like: those that were made before this was kept.
func (t *Tx) FillSkeletons(ctx context.Context) error {
	type named struct {
		id   id.User
		name string
	}
	all, err := many(ctx, &t.Reader, func(r row) (n named, err error) { return n, r.Scan(&n.id, &n.name) }, "select id, username from users where username_skeleton = ''")
	if err != nil {
		return err
	}
	for _, n := range all {
		if _, err := t.exec(ctx, "update users set username_skeleton = $2 where id = $1", n.id, auth.Skeleton(n.name)); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) userTaken(ctx context.Context, u *User) error {
	names, err := one(ctx, &t.Reader, nil, func(r row) (n int, err error) { return n, r.Scan(&n) },
		"select count(*) from users where username_folded = $1 and id <> $2", Fold(u.Username), u.ID)
	if err != nil {
		return err
	}
	if names > 0 {
		return fault.New(fault.Conflict, "username_taken", "there is already a user named %q; pick another name", u.Username).On("username")
	}
	return fault.New(fault.Conflict, "email_taken", "another account has this e-mail address; sign in with it or use another").On("email")
}

// UpdateUser writes everything but the id and counts u.Version up. fault.Precondition: the stored version is not
// u.Version. fault.Conflict: the new name or address is taken. fault.Invalid: there is no such role.
func (t *Tx) UpdateUser(ctx context.Context, u *User) error {
	if err := t.HoldRole(ctx, u.Role); err != nil {
		return err
	}
	u.Updated = now()
	clash, err := one(ctx, &t.Reader, nil, func(r row) (n int, err error) { return n, r.Scan(&n) },
		"select count(*) from users where (username_folded = $1 or email_folded = $2) and id <> $3", Fold(u.Username), Fold(u.Email), u.ID)
	if err != nil {
		return err
	}
	if clash > 0 {
		return t.userTaken(ctx, u)
	}
	if err := t.lookAlike(ctx, u); err != nil {
		return err
	}
	n, err := t.exec(ctx, `update users set username = $3, username_folded = $4, email = $5, email_folded = $6, password_hash = $7,
		role = $8, disabled = $9, unverified = $10, tenant = $11, updated_at = $12, username_skeleton = $13, version = version + 1 where id = $1 and version = $2`, u.ID, u.Version, u.Username,
		Fold(u.Username), u.Email, Fold(u.Email), u.PasswordHash, u.Role, u.Disabled, u.Unverified, u.Tenant, stamp(u.Updated), auth.Skeleton(u.Username))
	if err == nil && n == 0 {
		return edited("user", u.Username)
	}
	if err != nil {
		return err
	}
	u.Version++
	// What an account is in its own tenant stands in itself.
	_, err = t.exec(ctx, "delete from memberships where user_id = $1 and tenant = $2", u.ID, u.Tenant)
	return err
}

// DeleteUser removes an account and its sessions; absent is success.
func (t *Tx) DeleteUser(ctx context.Context, u id.User) error {
	_, err := t.exec(ctx, "delete from users where id = $1", u)
	return err
}
