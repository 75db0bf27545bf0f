package auth_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/session"
	"novacron/backend/session/sessiontest"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// The suites of the interfaces of this package, on the engines of the platform. Without settings they start PostgreSQL and Redis
// with scripts/services.sh; each takes a database of its own.

func TestPostgres_keepsAccountsRolesAndTenants(t *testing.T) {
	stores(t, func(t *testing.T) *store.DB { return storetest.Postgres(t) })
}

func TestSQLite_keepsAccountsRolesAndTenants(t *testing.T) {
	stores(t, func(t *testing.T) *store.DB { return storetest.SQLite(t) })
}

func TestPostgres_keepsSessionsAndRevocations(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) sessiontest.Open {
		url := sessiontest.PostgresURL(t)
		return func(t *testing.T, now func() time.Time) session.Store {
			s, err := session.OpenPostgres(t.Context(), url, now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}

func TestRedis_keepsSessionsAndRevocations(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) sessiontest.Open {
		url := sessiontest.RedisURL(t)
		return func(t *testing.T, now func() time.Time) session.Store {
			s, err := session.OpenRedis(url, now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}

// world is one database with a tenant.
type world struct {
	accounts auth.Accounts
	roles    auth.RoleStore
	own      auth.OwnRoles
	tenants  auth.Tenants
	members  auth.Memberships
	tenant   id.Tenant
}

func stores(t *testing.T, open func(*testing.T) *store.DB) {
	for name, f := range map[string]func(*testing.T, world){
		"an account is found by id, user name and address in any case": found,
		"an absent account is not found":                               notFound,
		"names and addresses are unique in any case and spelling":      unique,
		"a name that looks like another one is refused":                lookAlike,
		"of two that want one name at once one gets it":                race,
		"what cannot be an account is refused":                         refused,
		"accounts are listed in order, by tenant, page by page":        listed,
		"an account that was changed meanwhile is not overwritten":     changed,
		"a deleted account is gone and may be deleted again":           deleted,
		"only the password of the account verifies":                    verified,
		"a new password takes the place of the old one":                replaced,
		"a hash of older parameters is made anew":                      rehashed,
		"roles are given, read and counted":                            given,
		"own roles are kept by unique names":                           ownRoles,
		"an own role that somebody has is not deleted, and says whose": roleInUse,
		"of giving a role and deleting it at once one happens":         roleRace,
		"tenants are kept by unique names":                             tenants,
		"a tenant with accounts is not deleted":                        owned,
		"an account has a role in each tenant that it is a member of":  members,
		"what cannot be a membership is refused":                       noMember,
		"a tenant with members and a role of members are not deleted":  held,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			a := db.Accounts(cheap)
			w := world{accounts: a, roles: a, own: db.OwnRoles(), tenants: db.Tenants(), members: db.Memberships()}
			home := auth.Tenant{Name: "home"}
			must(t, w.tenants.Create(t.Context(), &home))
			w.tenant = home.ID
			f(t, w)
		})
	}
}

const phrase = "a long enough passphrase"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s: got %v of kind %q, want kind %q", what, err, fault.KindOf(err), kind)
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[*fault.Error](err); !ok || e.Code != code {
		t.Errorf("%s: got %v, want code %s", what, err, code)
	}
}

func (w world) account(name string) auth.Account {
	return auth.Account{Tenant: w.tenant, Username: name, Email: name + "@example.org", Role: auth.Developer}
}

func (w world) create(t *testing.T, name string) auth.Account {
	t.Helper()
	a := w.account(name)
	must(t, w.accounts.Create(t.Context(), &a, phrase))
	return a
}

func found(t *testing.T, w world) {
	a := w.create(t, "Grace")
	for what, get := range map[string]func(context.Context) (auth.Account, error){
		"by id":                    func(ctx context.Context) (auth.Account, error) { return w.accounts.Get(ctx, a.ID) },
		"by user name":             func(ctx context.Context) (auth.Account, error) { return w.accounts.GetByUsername(ctx, "Grace") },
		"by user name, other case": func(ctx context.Context) (auth.Account, error) { return w.accounts.GetByUsername(ctx, "gRACE") },
		"by address, other case": func(ctx context.Context) (auth.Account, error) {
			return w.accounts.GetByEmail(ctx, "GRACE@Example.org")
		},
	} {
		if got, err := get(t.Context()); err != nil || got != a {
			t.Errorf("%s: got %+v, %v; want %+v", what, got, err, a)
		}
	}
	_, err := w.accounts.GetByUsername(t.Context(), a.Email)
	wantKind(t, "an address as a user name", err, fault.NotFound)
	_, err = w.accounts.GetByEmail(t.Context(), a.Username)
	wantKind(t, "a user name as an address", err, fault.NotFound)
}

func notFound(t *testing.T, w world) {
	_, err := w.accounts.Get(t.Context(), id.NewUser())
	wantKind(t, "Get", err, fault.NotFound)
	_, err = w.accounts.GetByUsername(t.Context(), "nobody")
	wantKind(t, "GetByUsername", err, fault.NotFound)
	_, err = w.accounts.GetByEmail(t.Context(), "nobody@example.org")
	wantKind(t, "GetByEmail", err, fault.NotFound)
	a := w.account("nobody")
	a.ID = id.NewUser()
	wantKind(t, "Update", w.accounts.Update(t.Context(), &a), fault.NotFound)
	wantKind(t, "SetPassword", w.accounts.SetPassword(t.Context(), a.ID, phrase), fault.NotFound)
	wantKind(t, "VerifyPassword", w.accounts.VerifyPassword(t.Context(), a.ID, phrase), fault.Unauthenticated)
}

func unique(t *testing.T, w world) {
	first := auth.Account{Tenant: w.tenant, Username: "caf\u00e9", Email: "cafe@example.org", Role: auth.Viewer}
	if err := w.accounts.Create(t.Context(), &first, phrase); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ name, email, code string }{
		"another case":     {"CAF\u00c9", "other@example.org", "username_taken"},
		"another spelling": {"\uff43\uff41\uff46\u00e9", "other@example.org", "username_taken"}, // full-width letters
		"another address":  {"other", "CAFE@example.org", "email_taken"},
	} {
		a := auth.Account{Tenant: w.tenant, Username: c.name, Email: c.email, Role: auth.Viewer}
		wantCode(t, what, w.accounts.Create(t.Context(), &a, phrase), c.code)
	}
}

func lookAlike(t *testing.T, w world) {
	w.create(t, "alice")
	for _, name := range []string{"aIice", "a1ice", "ALICE"} {
		a := auth.Account{Tenant: w.tenant, Username: name, Email: "other@example.org", Role: auth.Viewer}
		wantCode(t, name, w.accounts.Create(t.Context(), &a, phrase), "username_taken")
	}
	a := auth.Account{Tenant: w.tenant, Username: "\u0430lice", Email: "other@example.org", Role: auth.Viewer}
	wantCode(t, "a name of two scripts", w.accounts.Create(t.Context(), &a, phrase), "username_script")
	w.create(t, "alicia")
}

func race(t *testing.T, w world) {
	var mu sync.Mutex
	made := 0
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			a := auth.Account{Tenant: w.tenant, Username: "grace", Email: fmt.Sprintf("grace%d@example.org", i), Role: auth.Viewer}
			err := w.accounts.Create(t.Context(), &a, phrase)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !fault.Is(err, fault.Conflict) {
				t.Errorf("got %v, want a conflict", err)
			}
		})
	}
	group.Wait()
	if made != 1 {
		t.Errorf("%d of 8 got the name, want one", made)
	}
}

func refused(t *testing.T, w world) {
	for what, change := range map[string]func(*auth.Account, *string){
		"no user name":           func(a *auth.Account, _ *string) { a.Username = "" },
		"an address as the name": func(a *auth.Account, _ *string) { a.Username = "x@example.org" },
		"no address":             func(a *auth.Account, _ *string) { a.Email = "nowhere" },
		"an unknown role":        func(a *auth.Account, _ *string) { a.Role = "emperor" },
		"the platform's role":    func(a *auth.Account, _ *string) { a.Role = auth.System },
		"a short password":       func(_ *auth.Account, p *string) { *p = "short" },
		"the name as password":   func(_ *auth.Account, p *string) { *p = "grace@example.org" },
	} {
		a, p := w.account("grace"), phrase
		change(&a, &p)
		wantKind(t, what, w.accounts.Create(t.Context(), &a, p), fault.Invalid)
	}
	a := w.create(t, "grace")
	wantKind(t, "a short new password", w.accounts.SetPassword(t.Context(), a.ID, "short"), fault.Invalid)
	a.Role = "emperor"
	wantKind(t, "an unknown new role", w.accounts.Update(t.Context(), &a), fault.Invalid)
}

func listed(t *testing.T, w world) {
	other := auth.Tenant{Name: "other"}
	must(t, w.tenants.Create(t.Context(), &other))
	for _, name := range []string{"dora", "Ana", "carl", "bert"} {
		w.create(t, name)
	}
	stranger := w.account("stranger")
	stranger.Tenant = other.ID
	must(t, w.accounts.Create(t.Context(), &stranger, phrase))
	for tenant, want := range map[id.Tenant][]string{
		w.tenant: {"Ana", "bert", "carl", "dora"}, other.ID: {"stranger"}, "": {"Ana", "bert", "carl", "dora", "stranger"}, id.NewTenant(): nil,
	} {
		var got []string
		for cursor, more := "", true; more; {
			page, next, err := w.accounts.List(t.Context(), tenant, cursor, 2)
			must(t, err)
			if len(page) > 2 {
				t.Fatalf("a page of %d, asked for 2", len(page))
			}
			for _, a := range page {
				got = append(got, a.Username)
			}
			cursor, more = next, next != ""
		}
		if !slices.Equal(got, want) {
			t.Errorf("tenant %q: got %v, want %v", tenant, got, want)
		}
	}
}

func changed(t *testing.T, w world) {
	a := w.create(t, "grace")
	first, second := a, a
	first.Email, first.Disabled, first.Role = "hopper@example.org", true, auth.Operator
	must(t, w.accounts.Update(t.Context(), &first))
	if got, err := w.accounts.Get(t.Context(), a.ID); err != nil || got != first || got.Version <= a.Version {
		t.Errorf("got %+v, %v; want %+v with a higher version", got, err, first)
	}
	second.Username = "hopper"
	wantKind(t, "an update from an older version", w.accounts.Update(t.Context(), &second), fault.Precondition)
	b := w.create(t, "ada")
	b.Username = "GRACE"
	wantKind(t, "a name that is taken", w.accounts.Update(t.Context(), &b), fault.Conflict)
}

func deleted(t *testing.T, w world) {
	a := w.create(t, "grace")
	must(t, w.accounts.Delete(t.Context(), a.ID))
	must(t, w.accounts.Delete(t.Context(), a.ID))
	_, err := w.accounts.Get(t.Context(), a.ID)
	wantKind(t, "a deleted account", err, fault.NotFound)
	w.create(t, "grace") // the name is free again
}

func verified(t *testing.T, w world) {
	a := w.create(t, "grace")
	must(t, w.accounts.VerifyPassword(t.Context(), a.ID, phrase))
	for _, wrong := range []string{"", phrase + " ", "another long passphrase"} {
		wantKind(t, fmt.Sprintf("%q", wrong), w.accounts.VerifyPassword(t.Context(), a.ID, wrong), fault.Unauthenticated)
	}
	a.Disabled = true
	must(t, w.accounts.Update(t.Context(), &a))
	wantKind(t, "the right password of a disabled account", w.accounts.VerifyPassword(t.Context(), a.ID, phrase), fault.Unauthenticated)
}

func replaced(t *testing.T, w world) {
	a := w.create(t, "grace")
	must(t, w.accounts.SetPassword(t.Context(), a.ID, "another long passphrase"))
	must(t, w.accounts.VerifyPassword(t.Context(), a.ID, "another long passphrase"))
	wantKind(t, "the old one", w.accounts.VerifyPassword(t.Context(), a.ID, phrase), fault.Unauthenticated)
}

func rehashed(t *testing.T, w world) {
	a := w.create(t, "grace")
	before, err := w.accounts.Get(t.Context(), a.ID)
	must(t, err)
	dearer := cheap
	dearer.MemoryKiB *= 2
	stronger := w.accounts.(interface {
		With(auth.Params) store.Accounts
	}).With(dearer)
	must(t, stronger.VerifyPassword(t.Context(), a.ID, phrase))
	after, err := w.accounts.Get(t.Context(), a.ID)
	must(t, err)
	if after.Version != before.Version+1 {
		t.Errorf("got version %d after %d, want the hash written once", after.Version, before.Version)
	}
	must(t, stronger.VerifyPassword(t.Context(), a.ID, phrase))
	if again, err := w.accounts.Get(t.Context(), a.ID); err != nil || again.Version != after.Version {
		t.Errorf("got version %d after %d, %v; want nothing written", again.Version, after.Version, err)
	}
}

func given(t *testing.T, w world) {
	a, b := w.create(t, "grace"), w.create(t, "ada")
	must(t, w.roles.Assign(t.Context(), a.ID, auth.Administrator))
	must(t, w.roles.Assign(t.Context(), b.ID, auth.Administrator))
	if got, err := w.roles.RoleOf(t.Context(), a.ID); err != nil || got != auth.Administrator {
		t.Errorf("got %s, %v; want administrator", got, err)
	}
	b, err := w.accounts.Get(t.Context(), b.ID)
	must(t, err)
	b.Disabled = true
	must(t, w.accounts.Update(t.Context(), &b))
	if n, err := w.roles.CountRole(t.Context(), auth.Administrator); err != nil || n != 1 {
		t.Errorf("got %d administrators, %v; want the one who may sign in", n, err)
	}
	for _, role := range []auth.Role{"", "emperor", auth.System} {
		wantKind(t, fmt.Sprintf("role %q", role), w.roles.Assign(t.Context(), a.ID, role), fault.Invalid)
	}
	_, err = w.roles.RoleOf(t.Context(), id.NewUser())
	wantKind(t, "the role of nobody", err, fault.NotFound)
	wantKind(t, "a role for nobody", w.roles.Assign(t.Context(), id.NewUser(), auth.Viewer), fault.NotFound)
}

func auditor() auth.OwnRole {
	return auth.OwnRole{Name: "auditor", Description: "looks", Rights: auth.Rights{Actions: []auth.Action{auth.ReadVM, auth.ReadAudit}, Reach: auth.AllTenants}}
}

func ownRoles(t *testing.T, w world) {
	r := auditor()
	must(t, w.own.Create(t.Context(), &r))
	again := auditor()
	wantCode(t, "the same name", w.own.Create(t.Context(), &again), "role_name_taken")
	bad := auth.OwnRole{Name: "root", Rights: auth.Rights{Actions: []auth.Action{auth.WriteAccount}, Reach: auth.OwnTenant}}
	wantKind(t, "a role that makes administrators", w.own.Create(t.Context(), &bad), fault.Invalid)
	got, err := w.own.Get(t.Context(), "auditor")
	must(t, err)
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, want %+v", got, r)
	}
	first, second := got, got
	first.Description, first.Rights = "sees two tenants", auth.Rights{Actions: []auth.Action{auth.ReadVM}, Reach: auth.NamedTenants, Tenants: []id.Tenant{w.tenant}}
	must(t, w.own.Update(t.Context(), &first))
	wantKind(t, "an update from an older version", w.own.Update(t.Context(), &second), fault.Precondition)
	b := auth.OwnRole{Name: "a-first", Rights: auth.Rights{Actions: []auth.Action{auth.ReadVM}, Reach: auth.OwnTenant}}
	must(t, w.own.Create(t.Context(), &b))
	all, err := w.own.List(t.Context())
	must(t, err)
	if !reflect.DeepEqual(all, []auth.OwnRole{b, first}) {
		t.Errorf("got %+v", all)
	}
	must(t, w.own.Delete(t.Context(), "auditor"))
	must(t, w.own.Delete(t.Context(), "auditor"))
	_, err = w.own.Get(t.Context(), "auditor")
	wantKind(t, "a deleted role", err, fault.NotFound)
}

func roleInUse(t *testing.T, w world) {
	a := w.create(t, "grace")
	wantKind(t, "a role that is not there", w.roles.Assign(t.Context(), a.ID, "auditor"), fault.Invalid)
	r := auditor()
	must(t, w.own.Create(t.Context(), &r))
	must(t, w.roles.Assign(t.Context(), a.ID, "auditor"))
	if n, err := w.roles.CountRole(t.Context(), "auditor"); err != nil || n != 1 {
		t.Errorf("got %d, %v", n, err)
	}
	err := w.own.Delete(t.Context(), "auditor")
	wantCode(t, "a role that somebody has", err, "role_in_use")
	if !strings.Contains(fault.Sentence(err), "grace") {
		t.Errorf("%q does not say who has it", fault.Sentence(err))
	}
	must(t, w.roles.Assign(t.Context(), a.ID, auth.Viewer))
	must(t, w.own.Delete(t.Context(), "auditor"))
}

func roleRace(t *testing.T, w world) {
	a := w.create(t, "grace")
	for range 10 {
		r := auditor()
		must(t, w.own.Create(t.Context(), &r))
		var given, deleted error
		var both sync.WaitGroup
		both.Go(func() { given = w.roles.Assign(t.Context(), a.ID, "auditor") })
		both.Go(func() { deleted = w.own.Delete(t.Context(), "auditor") })
		both.Wait()
		role, err := w.roles.RoleOf(t.Context(), a.ID)
		must(t, err)
		_, there := w.own.Get(t.Context(), "auditor")
		if (given == nil) == (deleted == nil) || (role == "auditor") != (there == nil) {
			t.Fatalf("given: %v, deleted: %v; the account's role is %s, which is there: %v", given, deleted, role, there == nil)
		}
		must(t, w.roles.Assign(t.Context(), a.ID, auth.Developer))
		must(t, w.own.Delete(t.Context(), "auditor"))
	}
}

func tenants(t *testing.T, w world) {
	a := auth.Tenant{Name: "Acme"}
	must(t, w.tenants.Create(t.Context(), &a))
	wantKind(t, "the name in another case", w.tenants.Create(t.Context(), &auth.Tenant{Name: "aCME"}), fault.Conflict)
	if got, err := w.tenants.GetByName(t.Context(), "ACME"); err != nil || got != a {
		t.Errorf("by name: got %+v, %v; want %+v", got, err, a)
	}
	older := a
	a.Name = "Acme Ltd"
	must(t, w.tenants.Update(t.Context(), &a))
	if got, err := w.tenants.Get(t.Context(), a.ID); err != nil || got != a {
		t.Errorf("after an update: got %+v, %v; want %+v", got, err, a)
	}
	wantKind(t, "an update from an older version", w.tenants.Update(t.Context(), &older), fault.Precondition)
	page, next, err := w.tenants.List(t.Context(), "", 1)
	if err != nil || len(page) != 1 || page[0].Name != "Acme Ltd" || next == "" {
		t.Errorf("the first page: got %v, %q, %v", page, next, err)
	}
	page, next, err = w.tenants.List(t.Context(), next, 1)
	if err != nil || len(page) != 1 || page[0].Name != "home" || next != "" {
		t.Errorf("the last page: got %v, %q, %v", page, next, err)
	}
	must(t, w.tenants.Delete(t.Context(), a.ID))
	must(t, w.tenants.Delete(t.Context(), a.ID))
	_, err = w.tenants.Get(t.Context(), a.ID)
	wantKind(t, "a deleted tenant", err, fault.NotFound)
}

func owned(t *testing.T, w world) {
	w.create(t, "grace")
	wantKind(t, "a tenant with an account", w.tenants.Delete(t.Context(), w.tenant), fault.Conflict)
	if _, err := w.tenants.Get(t.Context(), w.tenant); err != nil {
		t.Error(err)
	}
}

// another makes a second tenant.
func (w world) another(t *testing.T, name string) id.Tenant {
	t.Helper()
	n := auth.Tenant{Name: name}
	must(t, w.tenants.Create(t.Context(), &n))
	return n.ID
}

func members(t *testing.T, w world) {
	a, lab, attic := w.create(t, "grace"), w.another(t, "lab"), w.another(t, "attic")
	in := func() (out []auth.Membership) {
		t.Helper()
		out, err := w.members.Of(t.Context(), a.ID)
		must(t, err)
		return out
	}
	first, second := auth.Membership{User: a.ID, Tenant: lab, Role: auth.Viewer}, auth.Membership{User: a.ID, Tenant: attic, Role: auth.Operator}
	must(t, w.members.Put(t.Context(), &first))
	must(t, w.members.Put(t.Context(), &second))
	if got := in(); !slices.Equal(got, []auth.Membership{second, first}) {
		t.Errorf("got %+v, want those of attic and lab", got)
	}
	again := auth.Membership{User: a.ID, Tenant: lab, Role: auth.Developer}
	must(t, w.members.Put(t.Context(), &again))
	if got := in(); len(got) != 2 || got[1].Role != auth.Developer || got[1].Created != first.Created {
		t.Errorf("another role: got %+v", got)
	}
	if role, err := w.roles.RoleOf(t.Context(), a.ID); err != nil || role != auth.Developer {
		t.Errorf("the account's own role: got %s, %v", role, err)
	}
	must(t, w.members.Remove(t.Context(), a.ID, attic))
	must(t, w.members.Remove(t.Context(), a.ID, attic))
	if got := in(); len(got) != 1 {
		t.Errorf("after one ended: got %+v", got)
	}
	must(t, w.accounts.Delete(t.Context(), a.ID))
	if got := in(); len(got) != 0 {
		t.Errorf("of a deleted account: got %+v", got)
	}
}

func noMember(t *testing.T, w world) {
	a, lab := w.create(t, "grace"), w.another(t, "lab")
	for what, c := range map[string]struct {
		m    auth.Membership
		kind fault.Kind
	}{
		"in the own tenant":           {auth.Membership{User: a.ID, Tenant: w.tenant, Role: auth.Viewer}, fault.Conflict},
		"as administrator":            {auth.Membership{User: a.ID, Tenant: lab, Role: auth.Administrator}, fault.Invalid},
		"as the platform":             {auth.Membership{User: a.ID, Tenant: lab, Role: auth.System}, fault.Invalid},
		"in a role that is not there": {auth.Membership{User: a.ID, Tenant: lab, Role: "emperor"}, fault.Invalid},
		"in no tenant":                {auth.Membership{User: a.ID, Tenant: id.NewTenant(), Role: auth.Viewer}, fault.NotFound},
		"of nobody":                   {auth.Membership{User: id.NewUser(), Tenant: lab, Role: auth.Viewer}, fault.NotFound},
	} {
		wantKind(t, what, w.members.Put(t.Context(), &c.m), c.kind)
	}
	for i := range auth.MaxMemberships {
		must(t, w.members.Put(t.Context(), &auth.Membership{User: a.ID, Tenant: w.another(t, fmt.Sprintf("t%d", i)), Role: auth.Viewer}))
	}
	wantKind(t, "one too many", w.members.Put(t.Context(), &auth.Membership{User: a.ID, Tenant: lab, Role: auth.Viewer}), fault.Exhausted)
}

func held(t *testing.T, w world) {
	a, lab := w.create(t, "grace"), w.another(t, "lab")
	r := auditor()
	must(t, w.own.Create(t.Context(), &r))
	must(t, w.members.Put(t.Context(), &auth.Membership{User: a.ID, Tenant: lab, Role: r.Name}))
	wantKind(t, "a tenant with a member", w.tenants.Delete(t.Context(), lab), fault.Conflict)
	wantCode(t, "a role of a member", w.own.Delete(t.Context(), r.Name), "role_in_use")
	must(t, w.members.Remove(t.Context(), a.ID, lab))
	must(t, w.own.Delete(t.Context(), r.Name))
	must(t, w.tenants.Delete(t.Context(), lab))
}
