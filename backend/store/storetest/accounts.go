package storetest

import (
	"fmt"
	"testing"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

func (s *suite) user(name string) store.User {
	s.t.Helper()
	u := store.User{ID: id.NewUser(), Tenant: s.tenant, Username: name, Email: name + "@example.org", PasswordHash: "h", Role: auth.Developer}
	s.tx(func(x *store.Tx) error { return x.InsertUser(s.ctx, &u) })
	return u
}

func testAudit(t *testing.T, s *suite) {
	add := func(n int) func(int) error {
		return func(i int) error {
			return s.db.Tx(s.ctx, func(x *store.Tx) error {
				for range n {
					if err := x.Audit(store.AuditEntry{Tenant: s.tenant, Actor: "ada", Action: fmt.Sprintf("vm.%d", i%2), Subject: "vm/1", Result: "ok"}); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	same(t, "writers at once that succeeded", count(together(20, add(3)), succeeded), 20)
	c := must[store.AuditCheck](t)(s.db.VerifyAudit(s.ctx))
	same(t, "entries of a whole chain, and where it is broken", []int64{c.Entries, c.Broken}, []int64{60, 0})
	page := must[store.List[store.AuditEntry]](t)(s.db.ListAudit(s.ctx, store.AuditFilter{Action: "vm.1"}, store.Page{Limit: 7}))
	same(t, "entries of one action", page.Total, 30)
	seen := map[int64]bool{}
	for p := (store.Page{Limit: 9}); ; {
		page := must[store.List[store.AuditEntry]](t)(s.db.ListAudit(s.ctx, store.AuditFilter{Action: "vm.*"}, p))
		for _, e := range page.Items {
			seen[e.Seq] = true
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
	}
	same(t, "entries over pages", len(seen), 60)
	s.refused("a transaction that fails", fault.Conflict, "no", func(x *store.Tx) error {
		if err := x.Audit(store.AuditEntry{Action: "vm.create"}); err != nil {
			return err
		}
		return fault.New(fault.Conflict, "no", "no")
	})
	same(t, "entries after it", must[store.AuditCheck](t)(s.db.VerifyAudit(s.ctx)).Entries, int64(60))
}

func testStanding(t *testing.T, s *suite) {
	u := s.user("ada")
	standing := func() []bool {
		st := must[store.Standing](t)(s.db.Standing(s.ctx, u.ID, ""))
		same(t, "its account", st.ID, u.ID)
		return []bool{st.Requires, st.HasFactor}
	}
	same(t, "tenant requires, has a factor", standing(), []bool{false, false})
	s.tx(func(x *store.Tx) error { return x.PutFactor(s.ctx, store.Factor{User: u.ID, Sealed: []byte("x")}) })
	same(t, "with a factor that is set up only", standing(), []bool{false, false})
	s.tx(func(x *store.Tx) error {
		return x.PutFactor(s.ctx, store.Factor{User: u.ID, Sealed: []byte("x"), Enabled: true})
	})
	n := must[store.Tenant](t)(s.db.Tenant(s.ctx, s.tenant))
	n.RequireFactor = true
	s.tx(func(x *store.Tx) error { return x.UpdateTenant(s.ctx, &n) })
	same(t, "tenant requires, has a factor", standing(), []bool{true, true})
	if _, err := s.db.Standing(s.ctx, id.NewUser(), ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("an absent account: got %v", err)
	}
}

// testStandingElsewhere: what an account is in a tenant that it chose, by id and by name in any case, alone and among many.
func testStandingElsewhere(t *testing.T, s *suite) {
	u, lab := s.user("ada"), store.Tenant{ID: id.NewTenant(), Name: "Lab", RequireFactor: true}
	role := auth.OwnRole{Name: "auditor", Rights: auth.Rights{Actions: []auth.Action{auth.ReadVM}, Reach: auth.OwnTenant}}
	s.tx(func(x *store.Tx) error {
		if err := x.InsertTenant(s.ctx, &lab); err != nil {
			return err
		}
		return x.InsertRole(s.ctx, &role)
	})
	stands := func(what, chosen string, member, as auth.Role, actions []auth.Action) {
		t.Helper()
		st := must[store.Standing](t)(s.db.Standing(s.ctx, u.ID, chosen))
		same(t, what+": where, and whether a factor is required", []any{st.Tenant, st.Acting, st.ActingName, st.Requires}, []any{s.tenant, lab.ID, "Lab", true})
		same(t, what+": roles", []auth.Role{st.Member, st.As()}, []auth.Role{member, as})
		same(t, what+": rights", st.Rights.Actions, actions)
	}
	stands("no member", string(lab.ID), "", auth.Developer, nil)
	s.tx(func(x *store.Tx) error {
		return x.PutMembership(s.ctx, &auth.Membership{User: u.ID, Tenant: lab.ID, Role: "auditor"})
	})
	stands("by id", string(lab.ID), "auditor", "auditor", role.Rights.Actions)
	stands("by name", "lAB", "auditor", "auditor", role.Rights.Actions)
	home := must[store.Standing](t)(s.db.Standing(s.ctx, u.ID, string(s.tenant)))
	same(t, "at home by its id", []any{home.Acting, home.As(), home.Requires}, []any{s.tenant, auth.Developer, false})
	for _, ref := range []string{"nowhere", string(id.NewTenant())} {
		if _, err := s.db.Standing(s.ctx, u.ID, ref); !fault.Is(err, fault.NotFound) {
			t.Errorf("tenant %s: got %v", ref, err)
		}
	}
	there, here, absent := store.Place{User: u.ID, Tenant: lab.ID}, store.Place{User: u.ID}, store.Place{User: u.ID, Tenant: id.NewTenant()}
	many := must[map[store.Place]store.Standing](t)(s.db.Standings(s.ctx, []store.Place{there, here, absent}))
	_, known := many[absent]
	same(t, "among many", []any{many[there].As(), many[here].As(), many[here].Acting, known}, []any{auth.Role("auditor"), auth.Developer, s.tenant, false})
	u.Tenant = lab.ID
	s.tx(func(x *store.Tx) error { return x.UpdateUser(s.ctx, &u) })
	same(t, "memberships when it becomes the own tenant", len(must[[]auth.Membership](t)(s.db.MembershipsOf(s.ctx, u.ID))), 0)
}

// testStandings: whoever keeps a standing learns of every commit that may change one. That others stay silent cannot be seen here: PostgreSQL
// tells of a commit once more, later, by its notification.
func testStandings(t *testing.T, s *suite) {
	u := s.user("ada")
	tells := func(what string, f func(x *store.Tx) error) {
		t.Helper()
		before := s.db.StandingVersion()
		s.tx(f)
		same(t, what+" is told", s.db.StandingVersion() != before, true)
	}
	tells("an account", func(x *store.Tx) error { u.Role = auth.Viewer; return x.UpdateUser(s.ctx, &u) })
	n := must[store.Tenant](t)(s.db.Tenant(s.ctx, s.tenant))
	tells("a tenant", func(x *store.Tx) error { n.RequireFactor = true; return x.UpdateTenant(s.ctx, &n) })
	role := auth.OwnRole{Name: "auditor", Rights: auth.Rights{Actions: []auth.Action{auth.ReadVM}, Reach: auth.OwnTenant}}
	lab := store.Tenant{ID: id.NewTenant(), Name: "lab"}
	s.tx(func(x *store.Tx) error { return x.InsertTenant(s.ctx, &lab) })
	tells("a membership", func(x *store.Tx) error {
		return x.PutMembership(s.ctx, &auth.Membership{User: u.ID, Tenant: lab.ID, Role: auth.Viewer})
	})
	tells("the end of a membership", func(x *store.Tx) error { return x.DeleteMembership(s.ctx, u.ID, lab.ID) })
	tells("a role", func(x *store.Tx) error { return x.InsertRole(s.ctx, &role) })
	tells("a changed role", func(x *store.Tx) error { return x.UpdateRole(s.ctx, &role) })
	tells("a deleted role", func(x *store.Tx) error { return x.DeleteRole(s.ctx, role.Name) })
	tells("a passkey", func(x *store.Tx) error {
		return x.InsertPasskey(s.ctx, &store.Passkey{ID: "a-1", User: u.ID, Name: "phone", Credential: []byte(`{}`)})
	})
	tells("a deleted passkey", func(x *store.Tx) error { return x.DeletePasskey(s.ctx, u.ID, "a-1") })
	tells("a second factor", func(x *store.Tx) error {
		return x.PutFactor(s.ctx, store.Factor{User: u.ID, Sealed: []byte("x"), Enabled: true})
	})
	tells("no second factor", func(x *store.Tx) error { return x.DeleteFactors(s.ctx, u.ID) })
	tells("a deleted account", func(x *store.Tx) error { return x.DeleteUser(s.ctx, u.ID) })
}

func testPasskeys(t *testing.T, s *suite) {
	ada, eve := s.user("ada"), s.user("eve")
	at := time.Now().UTC().Truncate(time.Microsecond)
	k := store.Passkey{ID: "a-1", User: ada.ID, Name: "phone", Credential: []byte(`{"n":1}`), Created: at}
	s.tx(func(x *store.Tx) error { return x.InsertPasskey(s.ctx, &k) })
	stolen := store.Passkey{ID: "a-1", User: eve.ID, Name: "mine", Credential: []byte(`{}`)}
	s.refused("a passkey that is somebody's", fault.Conflict, "passkey_known", func(x *store.Tx) error { return x.InsertPasskey(s.ctx, &stolen) })
	s.refused("removing somebody else's", fault.NotFound, "passkey_not_found", func(x *store.Tx) error { return x.DeletePasskey(s.ctx, eve.ID, "a-1") })
	same(t, "has a factor", must[store.Standing](t)(s.db.Standing(s.ctx, ada.ID, "")).HasFactor, true)
	s.tx(func(x *store.Tx) error { return x.UsePasskey(s.ctx, "a-1", []byte(`{"n":2}`), at) })
	k.Credential, k.Used = []byte(`{"n":2}`), at
	same(t, "the passkeys", must[[]store.Passkey](t)(s.db.PasskeysOf(s.ctx, ada.ID)), []store.Passkey{k})
	codes := func() int { return must[int](t)(s.db.CountBackupCodes(s.ctx, ada.ID)) }
	s.tx(func(x *store.Tx) error {
		if err := x.PutBackupCodes(s.ctx, ada.ID, []string{"h1", "h2"}); err != nil {
			return err
		}
		return x.PutFactor(s.ctx, store.Factor{User: ada.ID, Sealed: []byte("x"), Enabled: true})
	})
	s.tx(func(x *store.Tx) error { return x.DeleteFactor(s.ctx, ada.ID) })
	same(t, "backup codes beside a passkey", codes(), 2)
	s.tx(func(x *store.Tx) error { return x.DeletePasskey(s.ctx, ada.ID, "a-1") })
	same(t, "backup codes without any second factor", codes(), 0)
	same(t, "has a factor", must[store.Standing](t)(s.db.Standing(s.ctx, ada.ID, "")).HasFactor, false)

	s.tx(func(x *store.Tx) error {
		again := store.Passkey{ID: "a-2", User: ada.ID, Name: "phone", Credential: []byte(`{}`)}
		if err := x.InsertPasskey(s.ctx, &again); err != nil {
			return err
		}
		if err := x.PutFactor(s.ctx, store.Factor{User: ada.ID, Sealed: []byte("x"), Enabled: true}); err != nil {
			return err
		}
		return x.PutBackupCodes(s.ctx, ada.ID, []string{"h3"})
	})
	for range 2 { // absent is success
		s.tx(func(x *store.Tx) error { return x.DeleteFactors(s.ctx, ada.ID) })
		same(t, "has a factor after all were removed", must[store.Standing](t)(s.db.Standing(s.ctx, ada.ID, "")).HasFactor, false)
		same(t, "backup codes after all were removed", codes(), 0)
	}
}

func testIdentities(t *testing.T, s *suite) {
	ada, eve := s.user("ada"), s.user("eve")
	tie := func(u store.User) func(*store.Tx) error {
		return func(x *store.Tx) error { return x.InsertIdentity(s.ctx, "https://login.example.org", "sub-1", u.ID) }
	}
	s.tx(tie(ada))
	s.refused("an identity that is somebody's", fault.Conflict, "identity_known", tie(eve))
	same(t, "the account", must[store.User](t)(s.db.UserByIdentity(s.ctx, "https://login.example.org", "sub-1")).ID, ada.ID)
	s.tx(func(x *store.Tx) error {
		u, err := x.UserByIdentity(s.ctx, "https://login.example.org", "sub-1") // with the row's lock
		same(t, "the account", u.ID, ada.ID)
		return err
	})
	for _, other := range [][2]string{{"https://evil.example", "sub-1"}, {"https://login.example.org", "sub-2"}} {
		if _, err := s.db.UserByIdentity(s.ctx, other[0], other[1]); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s at %s: got %v", other[1], other[0], err)
		}
	}
}

func testMail(t *testing.T, s *suite) {
	at := time.Now().UTC().Truncate(time.Microsecond)
	for range 2 {
		s.tx(func(x *store.Tx) error {
			return x.InsertMail(s.ctx, &store.Mail{ID: string(id.NewToken()), Event: "reset/1", Kind: "reset", To: "a@b", Sealed: []byte("x"), Created: at})
		})
	}
	same(t, "mails of one event", len(must[[]store.Mail](t)(s.db.Mails(s.ctx, "", 10))), 1)
	claim := func(now time.Time) (m store.Mail, err error) {
		return m, s.db.Tx(s.ctx, func(x *store.Tx) (err error) { m, err = x.ClaimMail(s.ctx, now, now.Add(time.Minute)); return err })
	}
	errs := together(20, func(int) error { _, err := claim(at); return err })
	same(t, "workers that got the one mail", count(errs, succeeded), 1)
	begin := func(m store.Mail) (ok bool) {
		s.tx(func(x *store.Tx) (err error) { ok, err = x.BeginMail(s.ctx, m, at.Add(5*time.Minute)); return err })
		return ok
	}
	first := must[[]store.Mail](t)(s.db.Mails(s.ctx, store.MailClaimed, 10))[0]
	second, err := claim(at.Add(2 * time.Minute)) // the first worker died
	if err != nil {
		t.Fatalf("a claim that was lost: %v", err)
	}
	same(t, "who may send", []bool{begin(first), begin(second)}, []bool{false, true})
	s.refused("sending a mail again that is leaving", fault.Conflict, "mail_leaving", func(x *store.Tx) error { return x.RequeueMail(s.ctx, first.ID, at) })
	if _, err := claim(at.Add(time.Hour)); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a mail that may have left was given out again: %v", err)
	}
	s.tx(func(x *store.Tx) error {
		same(t, "lost mails", must[int](t)(x.BuryLostMail(s.ctx, "perhaps", at.Add(time.Hour))), 1)
		return x.RequeueMail(s.ctx, first.ID, at)
	})
	s.tx(func(x *store.Tx) error { return x.EndMail(s.ctx, first.ID, store.MailSent, "", at) })
	sent := must[[]store.Mail](t)(s.db.Mails(s.ctx, store.MailSent, 10))[0]
	same(t, "content of a sent mail", string(sent.Sealed), "")
	s.refused("sending a sent mail again", fault.NotFound, "mail_not_found", func(x *store.Tx) error { return x.RequeueMail(s.ctx, first.ID, at) })
}

func testSecrets(t *testing.T, s *suite) {
	u, at := s.user("ada"), time.Now().UTC()
	s.tx(func(x *store.Tx) error {
		return x.InsertOneUse(s.ctx, store.OneUse{Hash: "h", Purpose: "reset", User: u.ID, Expires: at.Add(time.Minute)})
	})
	take := func(purpose string, at time.Time) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) error { _, err := x.TakeOneUse(s.ctx, purpose, "h", at); return err })
	}
	wantFault(t, "a secret of another purpose", take("verify", at), fault.Unauthenticated, "token_used")
	wantFault(t, "a secret out of date", take("reset", at.Add(time.Minute)), fault.Unauthenticated, "token_used")
	errs := together(50, func(int) error { return take("reset", at) })
	same(t, "who of 50 got the secret", count(errs, succeeded), 1)

	s.tx(func(x *store.Tx) error { return x.PutFactor(s.ctx, store.Factor{User: u.ID, Sealed: []byte("s")}) })
	won := together(50, func(int) error {
		return s.db.Tx(s.ctx, func(x *store.Tx) error {
			ok, err := x.SpendStep(s.ctx, u.ID, 100)
			if err == nil && !ok {
				return fault.New(fault.Unauthenticated, "", "spent")
			}
			return err
		})
	})
	same(t, "who of 50 spent the step", count(won, succeeded), 1)
	s.tx(func(x *store.Tx) error {
		same(t, "an older step", must[bool](t)(x.SpendStep(s.ctx, u.ID, 99)), false)
		return x.PutBackupCodes(s.ctx, u.ID, []string{"a", "b"})
	})
	s.tx(func(x *store.Tx) error {
		same(t, "a backup code twice", []bool{must[bool](t)(x.SpendBackupCode(s.ctx, u.ID, "a")), must[bool](t)(x.SpendBackupCode(s.ctx, u.ID, "a"))}, []bool{true, false})
		return nil
	})
	same(t, "codes left", must[int](t)(s.db.CountBackupCodes(s.ctx, u.ID)), 1)

	k := store.APIToken{ID: id.NewToken(), User: u.ID, Name: "ci", Scopes: []auth.Action{auth.ReadVM}, Hash: "kh", Expires: at.Add(time.Hour).Truncate(time.Microsecond)}
	s.tx(func(x *store.Tx) error { return x.InsertAPIToken(s.ctx, &k) })
	same(t, "the token by its hash", must[store.APIToken](t)(s.db.APITokenByHash(s.ctx, "kh", at)), k)
	_, err := s.db.APITokenByHash(s.ctx, "kh", at.Add(time.Hour))
	wantFault(t, "a token that ended", err, fault.NotFound, "token_not_found")
	for i := range 60 {
		s.tx(func(x *store.Tx) error {
			return x.SeeDevice(s.ctx, u.ID, "net", fmt.Sprint(i), at.Add(time.Duration(i)*time.Second))
		})
	}
	all, there, known, err := s.db.Devices(s.ctx, u.ID, "net", "59")
	same(t, "devices kept, there, the same", []any{all, there, known, err}, []any{50, 50, 1, error(nil)})
	s.tx(func(x *store.Tx) error {
		return x.SetFailures(s.ctx, "k", store.Failures{Count: 3, Until: at}, at.Add(time.Hour))
	})
	same(t, "failures", must[store.Failures](t)(s.db.Failures(s.ctx, "k", at)).Count, int64(3))
	s.tx(func(x *store.Tx) error {
		return x.SetFailures(s.ctx, "l", store.Failures{Count: 3, Until: at}, at.Add(time.Hour))
	})
	for _, want := range []int{1, 1, 0} {
		s.tx(func(x *store.Tx) error {
			same(t, "failures trimmed one by one", must[int](t)(x.TrimAccounts(s.ctx, at.Add(2*time.Hour), at, 1)), want)
			return nil
		})
	}
	same(t, "failures after their time", must[store.Failures](t)(s.db.Failures(s.ctx, "k", at)).Count, int64(0))
	s.tx(func(x *store.Tx) error { return x.DeleteUser(s.ctx, u.ID) })
}
