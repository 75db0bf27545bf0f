package wire

// Close codes of the WebSockets.
const (
	CloseSignedOut = 4401 // not signed in, or the token ended
	CloseTaken     = 4403 // somebody took the console over
	CloseNoAuth    = 4408 // no auth message in time
	CloseInUse     = 4409 // somebody types into the console
	CloseTooOld    = 4410 // events behind the cursor are gone, or the reader was too slow: read the history
	CloseTooMany   = 4429 // more connections than one user may have
)

// TicketProtocol is what stands before a console ticket in the WebSocket subprotocol.
const TicketProtocol = "novacron.ticket."

// EventsAuth is the first message on the events stream; a later one renews it.
type EventsAuth struct {
	Type   string   `json:"type"` // auth
	Token  string   `json:"token"`
	Tenant string   `json:"tenant,omitempty"` // to act in, by id or name; a renewal keeps that of the first
	Since  string   `json:"since,omitempty"`
	Topics []string `json:"topics,omitempty"`
}

// EventsReady answers the first EventsAuth.
type EventsReady struct {
	Type   string `json:"type"` // ready
	Cursor string `json:"cursor"`
}

// ConsoleState is a text frame of a console: the first frame, and again whenever somebody comes or goes.
type ConsoleState struct {
	Type     string   `json:"type"` // who
	You      string   `json:"you"`  // typing or watching
	Typing   string   `json:"typing"`
	Watching []string `json:"watching"`
}
