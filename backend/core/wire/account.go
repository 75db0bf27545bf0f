package wire

import (
	"encoding/json"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/id"
)

// User is an account.
type User struct {
	ID        id.User   `json:"id"`
	Username  string    `json:"username"`
	Email     string    `json:"email"`
	Role      auth.Role `json:"role" doc:"Built-in: administrator, operator, developer, viewer; or the name of an own role"`
	Tenant    id.Tenant `json:"tenant"`
	Verified  bool      `json:"email_verified"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
	Version   int64     `json:"version"`
}

// CreateUser asks for an account.
type CreateUser struct {
	Username string    `json:"username" minLength:"1" maxLength:"64"`
	Email    string    `json:"email" minLength:"3" maxLength:"254"`
	Password string    `json:"password" minLength:"1" maxLength:"1024" doc:"At least 12 characters; no rules on which"`
	Role     auth.Role `json:"role,omitempty" maxLength:"32" doc:"Built-in or own; absent: administrator"`
	Tenant   string    `json:"tenant,omitempty" maxLength:"100" doc:"Id or name; absent: the first tenant"`
}

// Login is a sign-in.
type Login struct {
	Username string `json:"username" minLength:"1" maxLength:"254" doc:"The user name or the e-mail address"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

// LoginAnswer is what a sign-in or a refresh gives: tokens and the user, or the challenge of the second factor.
type LoginAnswer struct {
	AccessToken  string `json:"access_token,omitempty"`
	TokenType    string `json:"token_type,omitempty" doc:"Bearer"`
	ExpiresIn    int    `json:"expires_in,omitempty" doc:"Seconds"`
	RefreshToken string `json:"refresh_token,omitempty" doc:"Only for clients that sent neither Cookie nor Origin; browsers have it as an HttpOnly cookie"`
	User         *User  `json:"user,omitempty"`

	TwoFactorRequired bool     `json:"two_factor_required,omitempty" doc:"Then there is nothing else but challenge_token: end the sign-in at /api/auth/2fa/verify-login"`
	ChallengeToken    string   `json:"challenge_token,omitempty" doc:"Good for five minutes and five codes"`
	Methods           []string `json:"methods,omitempty" doc:"What ends the sign-in: totp and backup_code at /api/auth/2fa/verify-login, passkey at /api/auth/passkeys/login"`

	SecondFactorNeeded bool `json:"second_factor_needed,omitempty" doc:"The account must turn a second factor on: until then everything but /api/auth/2fa, /api/auth/me and signing out is refused"`
}

// SignInMethods says how people can sign in, beside the password.
type SignInMethods struct {
	Passkeys     bool   `json:"passkeys"`
	OIDC         bool   `json:"oidc" doc:"At /api/auth/oidc/login"`
	Registration string `json:"registration" enum:"open,invited,closed"`
}

// OIDCLink says whether an account signs in at the OpenID provider.
type OIDCLink struct {
	Linked bool `json:"linked"`
}

// OIDCBegun is where to send the browser, which comes back to /settings/security.
type OIDCBegun struct {
	URL string `json:"url"`
}

// Refresh exchanges a refresh token for clients that keep no cookies.
type Refresh struct {
	RefreshToken string `json:"refresh_token,omitempty" maxLength:"512"`
}

// Setup is the first sign-in with the one-time link that `novacron up` printed.
type Setup struct {
	Token    string `json:"token" minLength:"1" maxLength:"512"`
	Username string `json:"username" minLength:"1" maxLength:"64"`
	Email    string `json:"email" minLength:"3" maxLength:"254"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

// Register asks for an account of one's own.
type Register struct {
	Username string `json:"username" minLength:"1" maxLength:"64"`
	Email    string `json:"email" minLength:"3" maxLength:"254"`
	Password string `json:"password" minLength:"1" maxLength:"1024" doc:"At least 12 characters; no rules on which"`
	Invite   string `json:"invite,omitempty" maxLength:"512" doc:"Needed where registration is by invitation"`
}

// Registered is the answer, whether or not the e-mail address has an account already.
type Registered struct {
	Message              string `json:"message"`
	VerificationRequired bool   `json:"verification_required" doc:"A mail must be answered before the first sign-in"`
}

// EmailOnly names an account by its address.
type EmailOnly struct {
	Email string `json:"email" minLength:"3" maxLength:"254"`
}

// Accepted says that something was begun, and no more.
type Accepted struct {
	Message string `json:"message"`
}

// TokenOnly carries the secret of a mail.
type TokenOnly struct {
	Token string `json:"token" minLength:"1" maxLength:"512"`
}

// ResetPassword sets a password with the secret of a mail.
type ResetPassword struct {
	Token    string `json:"token" minLength:"1" maxLength:"512"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

// ChangePassword sets a password with the present one.
type ChangePassword struct {
	CurrentPassword string `json:"current_password" minLength:"1" maxLength:"1024"`
	NewPassword     string `json:"new_password" minLength:"1" maxLength:"1024"`
}

// ChangeEmail asks for another e-mail address of the account.
type ChangeEmail struct {
	Email    string `json:"email" minLength:"3" maxLength:"254" doc:"Gets a link, and counts from when it is opened"`
	Password string `json:"password" minLength:"1" maxLength:"1024" doc:"The present one"`
}

// PasswordOnly proves once more who is there.
type PasswordOnly struct {
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

// Prove proves once more who is there, in the session that asks.
type Prove struct {
	Password     string `json:"password" minLength:"1" maxLength:"1024"`
	RefreshToken string `json:"refresh_token,omitempty" maxLength:"512" doc:"Of the session, from clients that keep no cookies: it is exchanged for a new one"`
}

// Session is a sign-in.
type Session struct {
	ID        id.Session `json:"id"`
	CreatedAt time.Time  `json:"created_at"`
	SeenAt    time.Time  `json:"seen_at"`
	EndsAt    time.Time  `json:"ends_at" doc:"Unless it is refreshed"`
	Address   string     `json:"address"`
	Agent     string     `json:"agent"`
	Current   bool       `json:"current" doc:"The one that asks"`
}

// CreateInvite asks for an invitation.
type CreateInvite struct {
	Email  string    `json:"email" minLength:"3" maxLength:"254"`
	Role   auth.Role `json:"role,omitempty" maxLength:"32" doc:"Built-in or own; absent: developer"`
	Tenant string    `json:"tenant,omitempty" maxLength:"100" doc:"Id or name; absent: the first tenant"`
}

// Invite is an invitation that nobody has used yet.
type Invite struct {
	ID         id.Invite `json:"id"`
	Email      string    `json:"email"`
	Role       auth.Role `json:"role"`
	Tenant     id.Tenant `json:"tenant"`
	TenantName string    `json:"tenant_name"`
	InvitedBy  string    `json:"invited_by" doc:"User name"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// InviteMade is a new invitation. Token and URL are shown once.
type InviteMade struct {
	Invite
	Token string `json:"token"`
	URL   string `json:"url" doc:"Where the account is made"`
}

// FactorSetup is a TOTP secret for an authenticator app.
type FactorSetup struct {
	Secret string `json:"secret" doc:"Base 32"`
	URL    string `json:"otpauth_url"`
	QR     []byte `json:"qr_png" doc:"The URL as a picture (PNG)"`
}

// Code is a code of the app.
type Code struct {
	Code string `json:"code" minLength:"1" maxLength:"64"`
}

// BackupCodes are shown once; each is good for one sign-in without the app.
type BackupCodes struct {
	Codes []string `json:"backup_codes" nullable:"false"`
}

// FactorStatus says whether two-factor authentication is on.
type FactorStatus struct {
	Enabled         bool     `json:"enabled"`
	Required        bool     `json:"required" doc:"By the tenant or the whole installation"`
	Methods         []string `json:"methods" nullable:"false" doc:"totp, passkey, backup_code"`
	BackupCodesLeft int      `json:"backup_codes_left"`
}

// VerifyLogin ends a sign-in with the second factor.
type VerifyLogin struct {
	ChallengeToken string `json:"challenge_token" minLength:"1" maxLength:"512"`
	Code           string `json:"code" minLength:"1" maxLength:"64" doc:"Of the app, or a backup code"`
}

// PasskeyChallenge begins a ceremony of WebAuthn. Options is what navigator.credentials.create or .get takes, in the form that
// PublicKeyCredential.parseCreationOptionsFromJSON and parseRequestOptionsFromJSON read.
type PasskeyChallenge struct {
	ChallengeToken string          `json:"challenge_token" doc:"Good for five minutes and one answer"`
	Options        json.RawMessage `json:"options" doc:"{publicKey: …}"`
}

// NewPasskey is the browser's answer to a challenge that makes a passkey.
type NewPasskey struct {
	ChallengeToken string          `json:"challenge_token" minLength:"1" maxLength:"512"`
	Name           string          `json:"name" minLength:"1" maxLength:"63" doc:"For people to tell their passkeys apart"`
	Credential     json.RawMessage `json:"credential" doc:"PublicKeyCredential.toJSON()"`
}

// Passkey is a passkey of the account.
type Passkey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
}

// PasskeyMade is a passkey that was added.
type PasskeyMade struct {
	Passkey
	BackupCodes []string `json:"backup_codes,omitempty" doc:"With the account's first second factor; shown once"`
}

// PasskeyLogin begins a sign-in by passkey.
type PasskeyLogin struct {
	ChallengeToken string `json:"challenge_token,omitempty" maxLength:"512" doc:"Of a sign-in that asks for a second factor; absent: the passkey is all that is shown"`
}

// PasskeyAnswer is the browser's answer to a challenge that signs in.
type PasskeyAnswer struct {
	ChallengeToken string          `json:"challenge_token" minLength:"1" maxLength:"512"`
	Credential     json.RawMessage `json:"credential" doc:"PublicKeyCredential.toJSON()"`
}

// CreateToken asks for an API token.
type CreateToken struct {
	Name      string        `json:"name" minLength:"1" maxLength:"63"`
	Scopes    []auth.Action `json:"scopes,omitempty" maxItems:"64" doc:"Actions that it allows; absent: all that the account may do"`
	ExpiresAt *time.Time    `json:"expires_at,omitempty" doc:"Within a year; absent: it does not end"`
}

// Token is an API token.
type Token struct {
	ID         id.Token      `json:"id"`
	Name       string        `json:"name"`
	Tenant     id.Tenant     `json:"tenant,omitempty" doc:"Where it acts; absent: in the own tenant of the account"`
	Scopes     []auth.Action `json:"scopes" doc:"null: all that the account may do"`
	Secret     string        `json:"token,omitempty" doc:"Shown once, when it is made; send it as Authorization: Bearer"`
	CreatedAt  time.Time     `json:"created_at"`
	ExpiresAt  *time.Time    `json:"expires_at,omitempty"`
	LastUsedAt *time.Time    `json:"last_used_at,omitempty" doc:"To the minute"`
}
