package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Bounds of an account's names.
const (
	MaxUsername = 64
	MaxEmail    = 254 // of an address in SMTP (RFC 5321, erratum 1690)
)

// CheckUsername refuses what cannot be a user name: letters of one script, digits, and . _ - inside. It cannot be taken
// for an e-mail address or an id.
func CheckUsername(name string) error {
	bad := func() error {
		return fault.New(fault.Invalid, "username_invalid", "a user name has 1 to %d letters, digits and . _ - between them", MaxUsername).On("username")
	}
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxUsername || id.Is(name) {
		return bad()
	}
	for i, r := range name {
		inside := i > 0 && i+utf8.RuneLen(r) < len(name)
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !(inside && strings.ContainsRune("._-", r)) {
			return bad()
		}
	}
	return checkScript(name)
}

// CheckEmail refuses what no mail could reach: the rest is for the mail that is sent there to find out.
func CheckEmail(address string) error {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" || len(address) > MaxEmail || strings.Contains(domain, "@") || strings.HasPrefix(domain, ".") ||
		strings.HasSuffix(domain, ".") || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>()[]\,;:"`, r) }) {
		return fault.New(fault.Invalid, "email_invalid", "%.80q is not an e-mail address like name@example.org, in ASCII; write a domain of another script as xn--…", address).On("email")
	}
	return nil
}
