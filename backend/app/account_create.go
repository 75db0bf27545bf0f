package app

import (
	"context"
	"encoding/json"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// SetupLifetime is how long the one-time link for the first sign-in is good.
const SetupLifetime = 24 * time.Hour

// Create makes an account with a password.
func (a *Accounts) Create(ctx context.Context, c auth.Caller, r wire.CreateUser) (wire.User, error) {
	if err := auth.May(c, auth.WriteAccount, ""); err != nil {
		return wire.User{}, err
	}
	if err := checkAccount(r.Username, r.Email, r.Password); err != nil {
		return wire.User{}, err
	}
	if r.Role == "" {
		r.Role = auth.Administrator
	}
	if err := a.provenFor(ctx, c, r.Role); err != nil {
		return wire.User{}, err
	}
	var hash string
	err := a.hashing(ctx, func() (err error) { hash, err = auth.Hash(r.Password, a.params); return err })
	if err != nil {
		return wire.User{}, err
	}
	out := CreateUser{Username: r.Username, Email: r.Email, Role: r.Role, PasswordHash: hash}
	if r.Tenant != "" {
		n, err := findTenant(ctx, &a.db.Reader, c, r.Tenant)
		if err != nil {
			return wire.User{}, err
		}
		out.Tenant = n.ID
	}
	return a.app.CreateUser(ctx, c, out)
}

func checkAccount(username, email, password string) error {
	if err := auth.CheckUsername(username); err != nil {
		return err
	}
	if err := auth.CheckEmail(email); err != nil {
		return err
	}
	return checkPassword(password, username, email)
}

type setupTicket struct {
	Purpose string `json:"purpose"`
}

// IssueSetup makes the secret of a one-time link for the first sign-in. fault.Conflict: there is an administrator already.
func (a *Accounts) IssueSetup(ctx context.Context) (secret string, ends time.Time, err error) {
	n, err := a.db.CountUsers(ctx, auth.Administrator)
	if err == nil && n > 0 {
		err = fault.New(fault.Conflict, "setup_done", "there is an administrator already; sign in, or make an account with `novacron admin create-user`")
	}
	if err != nil {
		return "", ends, err
	}
	content, err := json.Marshal(setupTicket{"setup"})
	if err != nil {
		return "", ends, err
	}
	secret, err = a.sessions.IssueTicketFor(ctx, content, SetupLifetime)
	return secret, a.now().Add(SetupLifetime), err
}

// Setup makes the first administrator with the one-time link's secret and signs in. What is wrong with the form is said before the
// secret is spent. Once there is an administrator no link is good any more: one that was printed before may stand in a log.
func (a *Accounts) Setup(ctx context.Context, r wire.Setup, p Peer) (SignIn, error) {
	if err := checkAccount(r.Username, r.Email, r.Password); err != nil {
		return SignIn{}, err
	}
	// Before anything is said of names: with an administrator there no secret is good, and nobody learns here who has an account.
	refused := fault.New(fault.Unauthenticated, "setup_invalid", "this link was used or has ended; sign in, or get another with `novacron admin setup-link` on the server")
	if n, err := a.db.CountUsers(ctx, auth.Administrator); err != nil || n > 0 {
		return SignIn{}, firstError(err, refused)
	}
	for _, f := range [...]struct{ field, login string }{{"username", r.Username}, {"email", r.Email}} {
		if _, err := a.db.UserByLogin(ctx, f.login); err == nil {
			return SignIn{}, fault.New(fault.Conflict, f.field+"_taken", "there is already an account with %q; pick another %s", f.login, f.field).On(f.field)
		}
	}
	content, err := a.sessions.RedeemTicket(ctx, r.Token)
	if fault.Is(err, fault.Unauthenticated) {
		return SignIn{}, refused
	}
	if err != nil {
		return SignIn{}, err
	}
	var ticket setupTicket
	if json.Unmarshal(content, &ticket) != nil || ticket.Purpose != "setup" {
		return SignIn{}, refused
	}
	_, err = a.Create(ctx, auth.Platform("setup"), wire.CreateUser{Username: r.Username, Email: r.Email, Password: r.Password, Role: auth.Administrator})
	if err != nil {
		return SignIn{}, err
	}
	u, err := a.db.UserByLogin(ctx, r.Username)
	if err != nil {
		return SignIn{}, err
	}
	return a.begin(ctx, u, p)
}
