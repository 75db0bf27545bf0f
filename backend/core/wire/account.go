package wire

import (
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/id"
)

// User is an account.
type User struct {
	ID        id.User   `json:"id"`
	Username  string    `json:"username"`
	Email     string    `json:"email"`
	Role      auth.Role `json:"role" enum:"administrator,operator,developer,viewer"`
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
	Role     auth.Role `json:"role,omitempty" enum:"administrator,operator,developer,viewer" doc:"Absent: administrator"`
	Tenant   string    `json:"tenant,omitempty" maxLength:"100" doc:"Id or name; absent: the first tenant"`
}

// Login is a sign-in.
type Login struct {
	Username string `json:"username" minLength:"1" maxLength:"254" doc:"The user name or the e-mail address"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

// LoginAnswer is what a sign-in or a refresh gives.
type LoginAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type" doc:"Bearer"`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds"`
	RefreshToken string `json:"refresh_token,omitempty" doc:"Only for clients that sent neither Cookie nor Origin; browsers have it as an HttpOnly cookie"`
	User         User   `json:"user"`
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
