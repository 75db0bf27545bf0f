package wire

import "time"

// ServerStatus is what a server says of itself on its local socket.
type ServerStatus struct {
	Version   string            `json:"version"`
	PID       int               `json:"pid"`
	StartedAt time.Time         `json:"started_at"`
	Addresses map[string]string `json:"addresses"` // api, ws, console, node: where it listens
	PublicURL string            `json:"public_url"`
	DataDir   string            `json:"data_dir"`
	Reasons   []string          `json:"reasons"` // why it is not ready; empty: it is
}

// SetupLink grants the first sign-in once.
type SetupLink struct {
	URL       string    `json:"url"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Down is the order to end.
type Down struct {
	Guests bool `json:"guests"` // the guests of this machine too
}

// RotateKeys is the order to make a new key that signs access tokens.
type RotateKeys struct {
	ForgetOld bool `json:"forget_old"` // remove the others, with all access tokens that they signed
}

// SecretKeyChange is the installation's key that encrypts secrets at rest, and a change of it that is under way. It goes over the local
// socket only.
type SecretKeyChange struct {
	Underway bool   `json:"underway"`       // both keys are accepted until it is finished
	Shared   bool   `json:"shared"`         // other servers may use the key too
	Derived  bool   `json:"derived"`        // the key is derived from AUTH_SECRET
	File     string `json:"file,omitempty"` // where the server read the key; empty: AUTH_SECRET
	Key      string `json:"key,omitempty"`  // the one that encrypts, as an operator keeps it
	Old      string `json:"old,omitempty"`  // the one before it, while a change is under way
	Sealed   int    `json:"sealed"`         // secrets that were encrypted again by this call
	Dark     int    `json:"dark"`           // secrets that no key opens
}

// MailList is the newest mails. SMTP says whether mail leaves at all.
type MailList struct {
	SMTP  bool   `json:"smtp"`
	Items []Mail `json:"items"`
}

// Mail is a mail in the queue, or one that left it.
type Mail struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	To        string    `json:"to"`
	State     string    `json:"state"` // queued, claimed, sending, sent or dead
	Attempts  int       `json:"attempts"`
	Reason    string    `json:"reason"`
	Link      string    `json:"link,omitempty"` // only while no SMTP server is set
	CreatedAt time.Time `json:"created_at"`
}

// TestMail asks for a mail that says nothing but that it arrived.
type TestMail struct {
	To string `json:"to"`
}
