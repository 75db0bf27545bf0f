package server

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"novacron/backend/session"
)

// production is the NOVACRON_ENV under which secrets are checked.
const production = "production"

// The fewest characters of a secret. Generated ones have 43: 256 bits in base 64.
const (
	minAuthSecret = 32
	minPassword   = 16
	minDistinct   = 8 // different characters; "aaaaaaaa…" is long and worth nothing
)

// known are words of examples and defaults. A secret that is made of them and of digits and signs is no secret.
var known = []string{
	"administrator", "authsecret", "admin", "change", "changeme", "changeit", "default", "demo", "dev", "development", "example", "foobar",
	"grafana", "insecure", "key", "letmein", "master", "me", "my", "novacron", "pass", "password", "passwd", "placeholder", "please",
	"postgres", "postgresql", "production", "prod", "qwerty", "qwertyuiop", "random", "redis", "replace", "root", "secret", "string", "super",
	"supersecret", "test", "this", "to", "todo", "token", "user", "very", "with", "your", "a", "in", "for", "jwt", "auth", "is", "not", "the", "long", "abc", "abcdef", "abcdefghijklmnopqrstuvwxyz",
}

// Production reports whether this is an installation that people depend on.
func (s Settings) Production() bool { return s.Env == production }

// CheckSecrets refuses, in production, secrets that are missing, known or weak, naming each.
func (s Settings) CheckSecrets() error {
	if !s.Production() {
		return nil
	}
	var errs []error
	check := func(name, value string, least int) {
		if why := weakness(value, least); why != "" {
			errs = append(errs, fmt.Errorf("%s %s", name, why))
		}
	}
	if s.SecretKeyFile == "" {
		check("AUTH_SECRET", s.AuthSecret, minAuthSecret)
	}
	if s.SigningKey == "" {
		errs = append(errs, errors.New("NOVACRON_SIGNING_KEY is missing"))
	} else if _, err := parseSigningKey(s.SigningKey); err != nil {
		errs = append(errs, err)
	}
	if s.HS256Secret != "" {
		check("NOVACRON_HS256_SECRET", s.HS256Secret, session.MinSharedSecret)
	}
	if s.DatabaseURL != "" {
		check("POSTGRES_PASSWORD", passwordOf(s.DatabaseURL), minPassword)
	}
	if s.RedisURL != "" {
		check("REDIS_PASSWORD", passwordOf(s.RedisURL), minPassword)
	}
	if s.GrafanaPassword != "" {
		check("GRAFANA_PASSWORD", s.GrafanaPassword, minPassword)
	}
	if s.ScrapeToken != "" {
		check("NOVACRON_SCRAPE_TOKEN", s.ScrapeToken, minPassword)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("NOVACRON_ENV is production: %w; `novacron secrets init` makes good ones", joinSentences(errs))
}

func joinSentences(errs []error) error {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

// weakness says what is wrong with a secret, without showing it. Empty: nothing.
func weakness(secret string, least int) string {
	distinct := map[rune]bool{}
	for _, r := range secret {
		distinct[r] = true
	}
	switch {
	case secret == "":
		return "is missing"
	case isKnown(secret):
		return "is a known default"
	case len(secret) < least:
		return fmt.Sprintf("is weak: it has %d characters, at least %d are needed", len(secret), least)
	case len(distinct) < minDistinct:
		return fmt.Sprintf("is weak: it has %d different characters, at least %d are needed", len(distinct), minDistinct)
	}
	return ""
}

// leet turns signs that stand for letters into them: pa$$w0rd.
var leet = strings.NewReplacer("0", "o", "@", "a", "1", "i", "!", "i", "3", "e", "$", "s", "5", "s")

// isKnown reports whether the letters of the secret can be read as a row of known words. A secret without letters counts as one.
func isKnown(secret string) bool {
	secret = strings.ToLower(secret)
	return madeOf(letters(secret)) || madeOf(letters(leet.Replace(secret)))
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, s)
}

func madeOf(letters string) bool {
	reach := make([]bool, len(letters)+1) // reach[i]: the first i letters are words
	reach[0] = true
	for i := range letters {
		if !reach[i] {
			continue
		}
		for _, w := range known {
			if strings.HasPrefix(letters[i:], w) {
				reach[i+len(w)] = true
			}
		}
	}
	return reach[len(letters)]
}

func passwordOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return ""
	}
	p, _ := u.User.Password()
	return p
}

// withPassword puts the password into a URL that has none. user is named when the URL names nobody.
func withPassword(address, user, password string) string {
	u, err := url.Parse(address)
	if address == "" || password == "" || err != nil {
		return address
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return address
		}
		user = u.User.Username()
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}
