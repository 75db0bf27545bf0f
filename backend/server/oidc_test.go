package server

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckOIDC(t *testing.T) {
	good := Settings{OIDCIssuer: "https://login.example.org/realm", OIDCClientID: "novacron", OIDCRoles: "admins=administrator,*=viewer"}
	if err := good.checkOIDC(); err != nil {
		t.Error(err)
	}
	if err := (Settings{}).checkOIDC(); err != nil {
		t.Errorf("none is set: %v", err)
	}
	if got := (Settings{OIDCFactor: " mfa, urn:example:gold,"}).oidcFactors(); !slices.Equal(got, []string{"mfa", "urn:example:gold"}) {
		t.Errorf("second factors: got %q", got)
	}
	for what, c := range map[string]struct {
		change func(*Settings)
		names  string
	}{
		"plain HTTP elsewhere than here": {func(s *Settings) { s.OIDCIssuer = "http://login.example.org" }, "NOVACRON_OIDC_ISSUER"},
		"no URL":                         {func(s *Settings) { s.OIDCIssuer = "login" }, "NOVACRON_OIDC_ISSUER"},
		"roles without a provider":       {func(s *Settings) { s.OIDCIssuer = "" }, "NOVACRON_OIDC_ISSUER"},
		"a second factor without one":    {func(s *Settings) { s.OIDCIssuer, s.OIDCClientID, s.OIDCRoles, s.OIDCFactor = "", "", "", "mfa" }, "_SECOND_FACTOR"},
		"no client":                      {func(s *Settings) { s.OIDCClientID = "" }, "NOVACRON_OIDC_CLIENT_ID"},
		"no roles":                       {func(s *Settings) { s.OIDCRoles = "" }, "NOVACRON_OIDC_ROLES"},
		"roles that cannot be read":      {func(s *Settings) { s.OIDCRoles = "admins" }, "NOVACRON_OIDC_ROLES"},
	} {
		s := good
		c.change(&s)
		if err := s.checkOIDC(); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: got %v, want a refusal that names %s", what, err, c.names)
		}
	}
}
