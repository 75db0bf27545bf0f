package api

import (
	"context"
	"net/http"

	"novacron/backend/core/id"
	"novacron/backend/core/wire"
)

// addAccount adds what people do with their own accounts. Whoever answers by mail is told the same whether or not there is an
// account.
func (a *API) addAccount() {
	const tag = "Account"
	register := func(ctx context.Context, in *struct{ Body wire.Register }) (*created[wire.Registered], error) {
		if err := a.sameSite(ctx); err != nil {
			return nil, err
		}
		out, err := a.Accounts.Register(ctx, in.Body, peer(ctx))
		if err != nil {
			return nil, err
		}
		return &created[wire.Registered]{Status: http.StatusCreated, Body: out}, nil
	}
	add(a, anyone, "POST /api/auth/register", op("register", "Make an account of one's own", tag), register)
	add(a, anyone, "POST /auth/register", op("registerShort", "Make an account: a short name of /api/auth/register", tag), register)
	add(a, anyone, "POST /api/auth/verify-email", op("verifyEmail", "Confirm the e-mail address with the secret of the mail", tag), func(ctx context.Context, in *struct{ Body wire.TokenOnly }) (*struct{}, error) {
		return nil, a.Accounts.VerifyEmail(ctx, in.Body.Token, peer(ctx))
	})
	add(a, anyone, "POST /api/auth/resend-verification", op("resendVerification", "Send the mail that confirms the address again", tag), func(ctx context.Context, in *struct{ Body wire.EmailOnly }) (*accepted, error) {
		return mailed(a.Accounts.ResendVerification(ctx, in.Body.Email))
	})
	add(a, anyone, "POST /api/auth/forgot-password", op("forgotPassword", "Ask for a link to choose a new password", tag), func(ctx context.Context, in *struct{ Body wire.EmailOnly }) (*accepted, error) {
		return mailed(a.Accounts.ForgotPassword(ctx, in.Body.Email))
	})
	add(a, anyone, "POST /api/auth/reset-password", op("resetPassword", "Choose a new password with the secret of the mail; all sessions end", tag), func(ctx context.Context, in *struct{ Body wire.ResetPassword }) (*struct{}, error) {
		return nil, a.Accounts.ResetPassword(ctx, in.Body.Token, in.Body.Password, peer(ctx))
	})
	add(a, inPerson.unkept(), "POST /api/auth/change-password", op("changePassword", "Change the password; all other sessions end", tag), func(ctx context.Context, in *struct{ Body wire.ChangePassword }) (*struct{}, error) {
		return nil, a.Accounts.ChangePassword(ctx, caller(ctx), in.Body)
	})
	add(a, inPerson.unkept(), "POST /api/auth/change-email", op("changeEmail", "Ask for another e-mail address; the new one gets a link that confirms it", tag), func(ctx context.Context, in *struct{ Body wire.ChangeEmail }) (*accepted, error) {
		if err := a.Accounts.ChangeEmail(ctx, caller(ctx), in.Body); err != nil {
			return nil, err
		}
		return &accepted{http.StatusAccepted, wire.Accepted{Message: "a mail was sent to the new address; open the link in it within an hour"}}, nil
	})
	add(a, anyone, "POST /api/auth/confirm-email", op("confirmEmail", "Confirm the new e-mail address with the secret of the mail", tag), func(ctx context.Context, in *struct{ Body wire.TokenOnly }) (*struct{}, error) {
		return nil, a.Accounts.ConfirmEmail(ctx, in.Body.Token, peer(ctx))
	})
	a.addSessions(tag)
	a.addTokens(tag)
}

type accepted struct {
	Status int
	Body   wire.Accepted
}

func mailed(err error) (*accepted, error) {
	if err != nil {
		return nil, err
	}
	return &accepted{http.StatusAccepted, wire.Accepted{Message: "if there is such an account, a mail was sent to its address"}}, nil
}

func (a *API) addSessions(tag string) {
	add(a, inPerson, "GET /api/auth/sessions", op("listSessions", "List where one is signed in", tag), func(ctx context.Context, _ *struct{}) (*body[wire.List[wire.Session]], error) {
		return answer(a.Accounts.Sessions(ctx, caller(ctx)))
	})
	add(a, inPerson, "GET /api/auth/sessions/{id}", op("getSession", "Show one session", tag), func(ctx context.Context, in *Ref) (*body[wire.Session], error) {
		return answer(a.Accounts.Session(ctx, caller(ctx), id.Session(in.ID)))
	})
	add(a, inPerson, "DELETE /api/auth/sessions", op("endSessions", "Sign out everywhere", tag), func(ctx context.Context, in *struct {
		Others bool `query:"others" doc:"Stay signed in here; absent: sign out here too"`
	}) (*struct{}, error) {
		return nil, a.Accounts.EndSessions(ctx, caller(ctx), in.Others)
	})
	add(a, inPerson, "DELETE /api/auth/sessions/{id}", op("endSession", "End one session", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.Accounts.EndSession(ctx, caller(ctx), id.Session(in.ID))
	})
}

// addTokens adds API tokens. Only people make them: a token that leaked must not make another.
func (a *API) addTokens(tag string) {
	add(a, inPerson, "GET /api/v1/tokens", op("listTokens", "List one's API tokens", tag), func(ctx context.Context, _ *struct{}) (*body[wire.List[wire.Token]], error) {
		return answer(a.Accounts.Tokens(ctx, caller(ctx)))
	})
	add(a, inPerson.unkept(), "POST /api/v1/tokens", op("createToken", "Make an API token; its secret is shown once", tag), func(ctx context.Context, in *struct{ Body wire.CreateToken }) (*created[wire.Token], error) {
		out, err := a.Accounts.CreateToken(ctx, caller(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		return &created[wire.Token]{Status: http.StatusCreated, Location: "/api/v1/tokens/" + string(out.ID), Body: out}, nil
	})
	add(a, inPerson, "DELETE /api/v1/tokens/{id}", op("deleteToken", "Delete an API token", tag), func(ctx context.Context, in *Ref) (*struct{}, error) {
		return nil, a.Accounts.DeleteToken(ctx, caller(ctx), id.Token(in.ID))
	})
}

// addFactor adds two-factor authentication.
func (a *API) addFactor() {
	const tag = "Two-factor authentication"
	add(a, anyone, "POST /api/auth/2fa/verify-login", op("verifyLogin", "End a sign-in with a code of the app or a backup code", tag), func(ctx context.Context, in *struct{ Body wire.VerifyLogin }) (*signInAnswer, error) {
		if err := a.sameSite(ctx); err != nil {
			return nil, err
		}
		s, err := a.Accounts.VerifyLogin(ctx, in.Body.ChallengeToken, in.Body.Code, peer(ctx))
		return a.signedIn(ctx, s, err)
	})
	add(a, inPerson.unkept().enrolling(), "POST /api/auth/2fa/setup", op("setupFactor", "Make a secret for an authenticator app", tag), func(ctx context.Context, _ *struct{}) (*body[wire.FactorSetup], error) {
		return answer(a.Accounts.SetupFactor(ctx, caller(ctx)))
	})
	add(a, inPerson.unkept().enrolling(), "POST /api/auth/2fa/enable", op("enableFactor", "Turn it on with a code of the app", tag), func(ctx context.Context, in *struct{ Body wire.Code }) (*body[wire.BackupCodes], error) {
		return answer(a.Accounts.EnableFactor(ctx, caller(ctx), in.Body.Code))
	})
	add(a, inPerson.unkept(), "POST /api/auth/2fa/disable", op("disableFactor", "Turn it off", tag), func(ctx context.Context, in *struct{ Body wire.PasswordOnly }) (*struct{}, error) {
		return nil, a.Accounts.DisableFactor(ctx, caller(ctx), in.Body.Password)
	})
	add(a, inPerson.unkept(), "POST /api/auth/2fa/backup-codes", op("renewBackupCodes", "Make new backup codes in place of the old ones", tag), func(ctx context.Context, in *struct{ Body wire.PasswordOnly }) (*body[wire.BackupCodes], error) {
		return answer(a.Accounts.RenewCodes(ctx, caller(ctx), in.Body.Password))
	})
	add(a, inPerson.enrolling(), "GET /api/auth/2fa/status", op("factorStatus", "Is it on?", tag), func(ctx context.Context, _ *struct{}) (*body[wire.FactorStatus], error) {
		return answer(a.Accounts.FactorStatus(ctx, caller(ctx)))
	})
}
