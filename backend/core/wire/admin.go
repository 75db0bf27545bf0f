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
