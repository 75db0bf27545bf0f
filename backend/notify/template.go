package notify

import (
	"bytes"
	"embed"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"unicode"
)

// Data is what templates speak of. Texts of users are bounded and cleaned before they are shown.
type Data struct {
	Name    string `json:"name,omitempty"`    // of the account
	Link    string `json:"link,omitempty"`    // carries a one-use secret
	Console string `json:"console,omitempty"` // the public URL
	Ends    string `json:"ends,omitempty"`    // how long the link is good, in words
	Time    string `json:"time,omitempty"`
	Address string `json:"address,omitempty"` // of the client
	Agent   string `json:"agent,omitempty"`   // the client's own name for itself
	Left    int    `json:"left,omitempty"`    // backup codes

	Lines []string `json:"lines,omitempty"` // what an alert tells, a sentence each
}

// The kinds of mail.
const (
	Verify         = "verify"        // show that mail arrives at this address
	Taken          = "taken"         // somebody registered with an address that has an account
	Reset          = "reset"         // choose a new password
	NoAccount      = "no_account"    // somebody asked to reset the password of an address without account
	Changed        = "changed"       // the password was changed
	NewEmail       = "new_email"     // show that mail arrives at the address that the account shall have
	EmailChanged   = "email_changed" // the account has another address; sent to the old one
	Device         = "device"        // sign-in from a new device or place
	Guessed        = "guessed"       // many wrong passwords or codes for the account
	CodeUsed       = "code_used"     // a backup code was used
	CodesMade      = "codes_made"    // backup codes were made or made anew
	FactorOff      = "factor_off"    // the second factor was turned off
	FactorReset    = "factor_reset"  // an administrator took the second factors away
	PasskeyAdded   = "passkey_added"
	PasskeyRemoved = "passkey_removed"
	TokenEnds      = "token_ends" // an API token ends soon
	Linked         = "linked"     // the account signs in at the OpenID provider too
	Unlinked       = "unlinked"   // and does no more
	Invitation     = "invitation" // make an account
	Alert          = "alert"      // something needs an administrator
	Test           = "test"
)

var subjects = map[string]string{
	Verify: "Confirm your e-mail address", Taken: "You already have an account", Reset: "Choose a new password", NoAccount: "There is no account with this address",
	Changed: "Your password was changed", NewEmail: "Confirm your new e-mail address", EmailChanged: "Your e-mail address was changed", Device: "Sign-in from a new device or place", Guessed: "Somebody tries to get into your account", CodeUsed: "A backup code was used", CodesMade: "New backup codes were made",
	FactorOff: "Two-factor authentication was turned off", FactorReset: "Your second factor was reset", PasskeyAdded: "A passkey was added", PasskeyRemoved: "A passkey was removed",
	TokenEnds: "An API token of yours ends soon",
	Linked:    "Your account was linked to the OpenID provider", Unlinked: "Your account was unlinked from the OpenID provider",
	Invitation: "You are invited to NovaCron", Alert: "Alert from NovaCron", Test: "Mail from NovaCron arrives",
}

//go:embed templates
var files embed.FS

var (
	texts = text.Must(text.ParseFS(files, "templates/*.txt"))
	htmls = html.Must(html.ParseFS(files, "templates/*.html"))
)

// Message is a rendered mail.
type Message struct{ Subject, Text, HTML string }

// Render makes a mail of the kind. The subject is the kind's own: nothing that a user wrote stands in a header.
func Render(kind string, d Data) (Message, error) {
	subject, ok := subjects[kind]
	if !ok {
		return Message{}, fmt.Errorf("no mail is of kind %q", kind)
	}
	for _, s := range []*string{&d.Name, &d.Address, &d.Agent} {
		*s = tame(*s, maxName)
	}
	lines := make([]string, len(d.Lines))
	for i, line := range d.Lines {
		lines[i] = tame(line, maxLine)
	}
	d.Lines = lines
	var plain, rich, part bytes.Buffer
	if err := texts.ExecuteTemplate(&plain, kind+".txt", d); err != nil {
		return Message{}, fmt.Errorf("mail %s: %w", kind, err)
	}
	for _, p := range strings.Split(strings.TrimSpace(plain.String()), "\n\n") {
		part.Reset()
		name := "paragraph.html"
		if p == d.Link && d.Link != "" {
			name = "link.html"
		}
		if err := htmls.ExecuteTemplate(&part, name, p); err != nil {
			return Message{}, fmt.Errorf("mail %s: %w", kind, err)
		}
		rich.Write(part.Bytes())
	}
	var page bytes.Buffer
	err := htmls.ExecuteTemplate(&page, "page.html", struct {
		Subject, Console string
		Body             html.HTML
	}{subject, d.Console, html.HTML(rich.String())}) // made by the templates above, which escape
	if err != nil {
		return Message{}, fmt.Errorf("mail %s: %w", kind, err)
	}
	return Message{Subject: subject, Text: strings.TrimSpace(plain.String()) + "\n\n-- \nNovaCron, " + d.Console + "\n", HTML: page.String()}, nil
}

// The longest texts of others in a mail, in characters.
const (
	maxName = 120
	maxLine = 400
)

// tame keeps a text of a client to one short line without anything that mail programs would make a link of.
func tame(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '<' || r == '>' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.ReplaceAll(s, "://", ":")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
