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
