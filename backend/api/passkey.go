package api

import (
	"context"
	"net/http"

	"novacron/backend/core/wire"
)

// addPasskeys adds the ceremonies of WebAuthn: each has a beginning that gives the browser its options, and an end that takes its answer.
func (a *API) addPasskeys() {
	const tag = "Passkeys"
	add(a, inPerson.unkept().enrolling(), "POST /api/auth/passkeys/register", op("beginPasskey", "Begin to add a passkey", tag), func(ctx context.Context, in *struct{ Body wire.PasswordOnly }) (*body[wire.PasskeyChallenge], error) {
		return answer(a.Accounts.BeginPasskey(ctx, caller(ctx), in.Body.Password))
	})
	add(a, inPerson.unkept().enrolling(), "POST /api/auth/passkeys/register/finish", op("finishPasskey", "Add the passkey that the browser made", tag), func(ctx context.Context, in *struct{ Body wire.NewPasskey }) (*created[wire.PasskeyMade], error) {
		out, err := a.Accounts.FinishPasskey(ctx, caller(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		return &created[wire.PasskeyMade]{Status: http.StatusCreated, Location: "/api/auth/passkeys", Body: out}, nil
	})
	add(a, inPerson.enrolling(), "GET /api/auth/passkeys", op("listPasskeys", "List one's passkeys", tag), func(ctx context.Context, _ *struct{}) (*body[wire.List[wire.Passkey]], error) {
		return answer(a.Accounts.Passkeys(ctx, caller(ctx)))
	})
	add(a, inPerson.unkept(), "POST /api/auth/passkeys/{id}/remove", op("removePasskey", "Remove a passkey", tag), func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"1400" doc:"1023 bytes in base64url at most"`
		Body wire.PasswordOnly
	}) (*struct{}, error) {
		return nil, a.Accounts.RemovePasskey(ctx, caller(ctx), in.ID, in.Body.Password)
	})
	add(a, anyone, "POST /api/auth/passkeys/login", op("beginPasskeyLogin", "Begin to sign in by passkey, alone or as the second factor", tag), func(ctx context.Context, in *struct{ Body *wire.PasskeyLogin }) (*body[wire.PasskeyChallenge], error) {
		if err := a.sameSite(ctx); err != nil {
			return nil, err
		}
		challenge := ""
		if in.Body != nil {
			challenge = in.Body.ChallengeToken
		}
		return answer(a.Accounts.BeginPasskeyLogin(ctx, challenge))
	})
	add(a, anyone, "POST /api/auth/passkeys/login/finish", op("finishPasskeyLogin", "End a sign-in by passkey", tag), func(ctx context.Context, in *struct{ Body wire.PasskeyAnswer }) (*signInAnswer, error) {
		if err := a.sameSite(ctx); err != nil {
			return nil, err
		}
		s, err := a.Accounts.FinishPasskeyLogin(ctx, in.Body.ChallengeToken, in.Body.Credential, peer(ctx))
		return a.signedIn(ctx, s, err)
	})
}
