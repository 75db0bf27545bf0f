package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"novacron/backend/app"
	"novacron/backend/client"
	"novacron/backend/core/auth"
	"novacron/backend/core/id"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// vault is a database with sealed secrets: one of each kind, and factors for more than two batches.
type vault struct {
	t       *testing.T
	options store.Options
	plain   map[store.SealedTable]map[string]string
}

const oldSecret = "the old secret of 32 characters!"

func newVault(t *testing.T, o store.Options) *vault {
	t.Helper()
	v := &vault{t: t, options: o, plain: map[store.SealedTable]map[string]string{}}
	db := storetest.Open(t, o)
	old, err := deriveSealer(oldSecret)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(table store.SealedTable, row string) []byte {
		if v.plain[table] == nil {
			v.plain[table] = map[string]string{}
		}
		v.plain[table][row] = "secret of " + row
		return old.seal(purposes[table](row), []byte("secret of "+row))
	}
	err = db.Tx(t.Context(), func(x *store.Tx) error {
		ctx := t.Context()
		tenant := store.Tenant{ID: id.NewTenant(), Name: "t"}
		errs := []error{
			x.InsertTenant(ctx, &tenant), x.SetSetting(ctx, store.NodeCA, keep(store.SealedSettings, store.NodeCA)), x.SetSetting(ctx, "cluster_id", []byte("no secret")),
			x.InsertSigningKey(ctx, &store.SigningKey{KID: "k", Sealed: keep(store.SealedSigningKeys, "k")}), x.InsertSigningKey(ctx, &store.SigningKey{KID: "forgotten", Sealed: []byte{}}),
			x.InsertMail(ctx, &store.Mail{ID: "m", Event: "m", Kind: "test", To: "a@example.org", Sealed: keep(store.SealedMails, "m")}),
		}
		for i := range 2*rekeyBatch + 1 {
			u := store.User{ID: id.NewUser(), Tenant: tenant.ID, Username: fmt.Sprintf("u%d", i), Email: fmt.Sprintf("u%d@example.org", i), PasswordHash: "h", Role: auth.Developer}
			errs = append(errs, x.InsertUser(ctx, &u), x.PutFactor(ctx, store.Factor{User: u.ID, Sealed: keep(store.SealedFactors, string(u.ID))}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sealer is that of a server which starts with the secret.
func (v *vault) sealer(db *store.DB, value string) *sealer {
	v.t.Helper()
	s, err := openSealer(v.t.Context(), Settings{AuthSecret: value}, db)
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// wantOpen fails unless s opens every secret.
func (v *vault) wantOpen(db *store.DB, s *sealer) {
	v.t.Helper()
	for table, rows := range v.plain {
		got, err := db.SealedRows(v.t.Context(), table, "", 1000)
		if err != nil || len(got) != len(rows) {
			v.t.Fatalf("%s holds %d secrets, %v; want %d", table, len(got), err, len(rows))
		}
		for _, r := range got {
			if secret, err := s.open(purposes[table](r.ID), r.Sealed); err != nil || string(secret) != rows[r.ID] {
				v.t.Fatalf("%s %s: got %q, %v", table, r.ID, secret, err)
			}
		}
	}
}

// finish is Server.finishSecretKey without a server around it.
func finish(ctx context.Context, db *store.DB, s *sealer) error {
	c, err := readChange(ctx, &db.Reader)
	if err == nil {
		_, err = (&Server{db: db, seal: s}).endChange(ctx, c)
	}
	return err
}

func engines(t *testing.T, f func(t *testing.T, o store.Options)) {
	t.Run("SQLite", func(t *testing.T) { f(t, store.Options{Path: filepath.Join(t.TempDir(), "novacron.db")}) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, store.Options{URL: storetest.PostgresURL(t)}) })
}

func TestSecretKey_changeHasNoMomentAtWhichASecretIsLostWhateverDies(t *testing.T) {
	engines(t, func(t *testing.T, o store.Options) {
		v := newVault(t, o)
		died := errors.New("killed here")
		left := -1 // commits until the server dies; negative: it lives
		o.Commit = func(store.CommitPoint) error {
			if left--; left == -1 {
				return died
			}
			return nil
		}
		db := storetest.Open(t, o)
		secret, bystander := oldSecret, v.sealer(db, oldSecret)
		for at, over := 0, false; !over; at++ {
			left = at
			s := v.sealer(db, secret)
			_, err := s.begin(t.Context())
			if err == nil {
				_, _, err = s.sweep(t.Context())
			}
			if err == nil { // the operator's file
				current, _ := s.keys()
				secret = current.Value
				if err := bystander.follow(t.Context()); err != nil { // as every server does while rekeyDelay lasts
					t.Fatal(err)
				}
				err = finish(t.Context(), db, s)
			}
			over, left = err == nil, -1
			v.wantOpen(db, v.sealer(db, secret))
			v.wantOpen(db, bystander)
			if at > 40 {
				t.Fatal("it never ends")
			}
		}
		only, err := deriveSealer(secret)
		if err != nil || secret == oldSecret {
			t.Fatalf("the new secret: %v, new %v", err, secret != oldSecret)
		}
		v.wantOpen(db, only)
		if _, err := openKeyring(t.Context(), db, testSeal, "", "", slog.New(slog.DiscardHandler)); !errors.Is(err, errOtherKey) {
			t.Errorf("with a foreign key: %v", err)
		}
	})
}

func TestSecretKey_ofAServerThatHeardNothingYetIsSweptUpAtTheEnd(t *testing.T) {
	engines(t, func(t *testing.T, o store.Options) {
		v := newVault(t, o)
		db := storetest.Open(t, o)
		a, b := v.sealer(db, oldSecret), v.sealer(db, oldSecret)
		if _, err := a.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, dark, err := a.sweep(t.Context()); err != nil || dark != 0 {
			t.Fatalf("%d secrets that no key opens, %v", dark, err)
		}
		v.wantOpen(db, b) // it looks for the key that it does not know
		late := v.sealer(db, oldSecret)
		late.current, late.other = late.other, nil // as it stood before the change
		err := db.Tx(t.Context(), func(x *store.Tx) error {
			v.plain[store.SealedMails]["late"] = "secret of late"
			return x.InsertMail(t.Context(), &store.Mail{ID: "late", Event: "late", Kind: "test", To: "a@example.org", Sealed: late.seal(app.MailPurpose, []byte("secret of late"))})
		})
		if err == nil {
			err = finish(t.Context(), db, a)
		}
		if err != nil {
			t.Fatal(err)
		}
		current, _ := a.keys()
		only, err := deriveSealer(current.Value)
		if err != nil {
			t.Fatal(err)
		}
		v.wantOpen(db, only)
	})
}

func TestSecretKey_changesUnderARunningServerAndTheFileFollows(t *testing.T) {
	clean(t)
	dir := t.TempDir()
	open := func() (*Server, *client.Admin) {
		settings, err := Load(map[string]string{"data-dir": dir, "api-addr": "127.0.0.1:0", "ws-addr": "127.0.0.1:0", "console-addr": "127.0.0.1:0", "node-addr": "127.0.0.1:0"}, "")
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(t.Context(), Options{Settings: settings, Version: "test", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s.rekeyDelay = 0
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s, client.NewAdmin(s.paths.AdminSocket())
	}
	s, admin := open()
	name := filepath.Join(dir, "secret.key")
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := admin.RotateSecretKey(t.Context())
	if err != nil || out.File != name || out.Old != strings.TrimSpace(string(before)) || out.Key == out.Old || out.Sealed != 2 || !out.Underway || out.Shared {
		t.Fatalf("got file %q, %d sealed, under way %v, %v; want the signing key and the authority sealed anew", out.File, out.Sealed, out.Underway, err)
	}
	if err := ReplaceSecret(name, out.Old, out.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.FinishSecretKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.FinishSecretKey(t.Context()); err == nil {
		t.Error("a change that is over was finished again")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = open()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if kept, err := os.ReadFile(name + ".old"); err != nil || string(kept) != string(before) {
		t.Errorf("the old key is not beside it: %v", err)
	}
	if err := os.WriteFile(name, before, 0o600); err != nil {
		t.Fatal(err)
	}
	settings := s.o.Settings
	if s, err := New(t.Context(), Options{Settings: settings, Version: "test", Log: slog.New(slog.DiscardHandler)}); err == nil {
		s.Close()
		t.Error("a server started with the key that was given up")
	}
}

func TestReplaceSecret_changesOneSecretAndNothingElse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "env")
	for _, c := range []struct{ name, text, want string }{
		{"a line among others", "A=1\nAUTH_SECRET=old-old\nB=2\n", "A=1\nAUTH_SECRET=new-new\nB=2\n"},
		{"a repetition", "AUTH_SECRET=new-new\n", "AUTH_SECRET=new-new\n"},
		{"another installation's", "AUTH_SECRET=other\n", ""},
		{"twice", "A=old-old\nAUTH_SECRET=old-old\n", ""},
	} {
		if err := os.WriteFile(name, []byte(c.text), 0o640); err != nil {
			t.Fatal(err)
		}
		err := ReplaceSecret(name, "old-old", "new-new")
		got, readErr := os.ReadFile(name)
		if c.want == "" {
			if err == nil || string(got) != c.text {
				t.Errorf("%s: got %q, %v; want a refusal", c.name, got, err)
			}
			continue
		}
		fi, statErr := os.Stat(name)
		if err := errors.Join(err, readErr, statErr); err != nil || string(got) != c.want || fi.Mode().Perm() != 0o640 {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

// TestSealedTables_areAllThatTheSchemaHas: a new table with sealed secrets joins the change of the key.
func TestSealedTables_areAllThatTheSchemaHas(t *testing.T) {
	names, err := filepath.Glob("../store/schema/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d schema files, %v", len(names), err)
	}
	table := regexp.MustCompile(`(?s)create table (\w+) \(([^;]*?)\n\);`)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range table.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[2], "sealed") && !slices.Contains(store.SealedTables, store.SealedTable(m[1])) {
				t.Errorf("table %s holds sealed secrets and is not in store.SealedTables", m[1])
			}
		}
	}
	for _, s := range store.SealedTables {
		if purposes[s] == nil {
			t.Errorf("nothing says what the secrets of %s are bound to", s)
		}
	}
}
