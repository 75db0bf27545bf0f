package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"novacron/backend/core/fault"
)

// Bounds of a password. There are no rules on its composition: length is what makes it hard to guess.
const (
	MinPasswordRunes = 12
	MaxPasswordBytes = 1024 // what is hashed is bounded before any work is done on it
)

// Params is the cost of one Argon2id hash. It travels inside the hash, so that it can grow without a flag day.
type Params struct {
	MemoryKiB uint32 // memory of one hash; the caller bounds how many run at once
	Passes    uint32
	Lanes     uint8
}

// DefaultParams is above OWASP's floor (19 MiB, two passes, one lane) and takes 50 to 250 ms on one core of the machines
// that NovaCron runs on.
var DefaultParams = Params{MemoryKiB: 46 << 10, Passes: 3, Lanes: 1}

// Limits of parameters found in a stored hash: a damaged or planted row must not take the server's memory.
const (
	maxMemoryKiB = 1 << 20 // 1 GiB
	maxPasses    = 16
	maxLanes     = 16
	saltBytes    = 16
	keyBytes     = 32
)

// CheckPassword refuses a new password that is too short, too long, not text, or the account's own name. names are the
// user name and the e-mail address.
func CheckPassword(password string, names ...string) error {
	switch {
	case len(password) > MaxPasswordBytes:
		return fault.New(fault.Invalid, "password_too_long", "a password has at most %d bytes; choose a shorter one", MaxPasswordBytes).On("password")
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return fault.New(fault.Invalid, "password_not_text", "a password is text in UTF-8 without zero bytes").On("password")
	case utf8.RuneCountInString(password) < MinPasswordRunes:
		return fault.New(fault.Invalid, "password_too_short", "a password has at least %d characters; a few words in a row are easy to remember", MinPasswordRunes).On("password")
	}
	for _, name := range names {
		if name != "" && strings.EqualFold(password, name) {
			return fault.New(fault.Invalid, "password_is_name", "the password is the account's own name; choose another one").On("password")
		}
	}
	return nil
}

// Hash gives the PHC string ("$argon2id$v=19$m=...,t=...,p=...$salt$key") of a password that CheckPassword accepted. It
// allocates p.MemoryKiB: bound how many run at once.
func Hash(password string, p Params) (string, error) {
	if len(password) > MaxPasswordBytes {
		return "", fault.New(fault.Invalid, "password_too_long", "a password has at most %d bytes", MaxPasswordBytes).On("password")
	}
	if err := p.check(); err != nil {
		return "", err
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	return p.encode(salt, p.derive(password, salt, keyBytes)), nil
}

// Verify reports whether the password belongs to the PHC string, in time that does not depend on where they differ. stale
// says that the hash was made with other parameters than want and should be made anew now that the password is known. An
// error means that the stored string is damaged.
func Verify(phc, password string, want Params) (ok, stale bool, err error) {
	p, salt, key, err := decode(phc)
	if err != nil {
		return false, false, err
	}
	if len(password) > MaxPasswordBytes {
		return false, false, nil // no such password can have been set
	}
	ok = subtle.ConstantTimeCompare(p.derive(password, salt, uint32(len(key))), key) == 1
	return ok, p != want, nil
}

// VerifyNobody does the work of Verify for an account that does not exist, so that the time of the answer does not tell
// which names are taken.
func VerifyNobody(password string, p Params) {
	if len(password) > MaxPasswordBytes {
		return
	}
	subtle.ConstantTimeCompare(p.derive(password, make([]byte, saltBytes), keyBytes), make([]byte, keyBytes))
}

func (p Params) check() error {
	if p.Passes < 1 || p.Passes > maxPasses || p.Lanes < 1 || p.Lanes > maxLanes || p.MemoryKiB < 8*uint32(p.Lanes) || p.MemoryKiB > maxMemoryKiB {
		return fmt.Errorf("argon2id parameters m=%d t=%d p=%d are out of bounds", p.MemoryKiB, p.Passes, p.Lanes)
	}
	return nil
}

// derive normalises to NFKC first: keyboards of different systems spell the same character differently.
func (p Params) derive(password string, salt []byte, length uint32) []byte {
	return argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, p.Passes, p.MemoryKiB, p.Lanes, length)
}

func (p Params) encode(salt, key []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.MemoryKiB, p.Passes, p.Lanes, b.EncodeToString(salt), b.EncodeToString(key))
}

var errPHC = errors.New("stored password hash is not an Argon2id PHC string")

func decode(phc string) (p Params, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(phc) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, nil, nil, errPHC
	}
	var version int
	if n, err := fmt.Sscanf(parts[2], "v=%d", &version); n != 1 || err != nil || version != argon2.Version {
		return p, nil, nil, errPHC
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Lanes); n != 3 || err != nil {
		return p, nil, nil, errPHC
	}
	if err := p.check(); err != nil {
		return p, nil, nil, err
	}
	strict := base64.RawStdEncoding.Strict()
	salt, errSalt := strict.DecodeString(parts[4])
	key, errKey := strict.DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(key) < 16 {
		return p, nil, nil, errPHC
	}
	return p, salt, key, nil
}
